// Each CQL type, with literals and what the driver binds and reads for them.
'use strict';
const { types } = require('cassandra-driver');
const { BigDecimal, Duration, InetAddress, Integer, LocalDate, LocalTime, Long, TimeUuid, Tuple, Uuid, Vector } = types;

const SOME = '5132b130-ae79-11e4-ab27-0800200c9a66';
const MANY = '1' + '0'.repeat(60);
const inet = InetAddress.fromString;
const long = Long.fromString;

exports.VALUES = [
  ['ascii', [["'abc'", 'abc'], ["''", ''], ["'~ '''", "~ '"]]],
  ['bigint', [['0', long('0')], ['9223372036854775807', Long.MAX_VALUE], ['-9223372036854775808', Long.MIN_VALUE]]],
  ['blob', [['0x', Buffer.alloc(0)], ['0x00ff', Buffer.from([0, 255])]]],
  ['boolean', [['true', true], ['false', false]]],
  ['date', [["'2026-02-28'", LocalDate.fromString('2026-02-28')], ["'0001-01-01'", LocalDate.fromString('0001-01-01')], ["'1969-12-31'", new LocalDate(-1)]]],
  ['decimal', [['0', BigDecimal.fromString('0')], ['-1.50', BigDecimal.fromString('-1.50')],
    ['0.00000000000000000000000000000001', BigDecimal.fromString('0.00000000000000000000000000000001')]]],
  ['double', [['0.1', 0.1], ['-1.7976931348623157E308', -Number.MAX_VALUE], ['Infinity', Infinity], ['4.9E-324', Number.MIN_VALUE]]],
  ['duration', [['1mo2d3ns', new Duration(1, 2, long('3'))], ['-2y', new Duration(-24, 0, Long.ZERO)], ['9223372036854775807ns', new Duration(0, 0, Long.MAX_VALUE)]]],
  ['float', [['0.5', 0.5], ['-Infinity', -Infinity], ['3.4028235E38', 3.4028234663852886e38]]],
  ['inet', [["'127.0.0.1'", inet('127.0.0.1')], ["'::'", inet('::')], ["'2001:db8::ff00:42:8329'", inet('2001:db8::ff00:42:8329')]]],
  ['int', [['0', 0], ['2147483647', 2147483647], ['-2147483648', -2147483648]]],
  ['smallint', [['32767', 32767], ['-32768', -32768]]],
  ['text', [["''", ''], ["'Grüße, 世界 🌍'", 'Grüße, 世界 🌍'], ["$$it's$$", "it's"]]],
  ['time', [["'00:00:00'", LocalTime.fromString('00:00:00')], ["'23:59:59.999999999'", LocalTime.fromString('23:59:59.999999999')]]],
  ['timestamp', [['0', new Date(0)], ["'2026-11-22T21:20:19.123Z'", new Date('2026-11-22T21:20:19.123Z')], ['-1', new Date(-1)]]],
  ['timeuuid', [[SOME, TimeUuid.fromString(SOME)]]],
  ['tinyint', [['127', 127], ['-128', -128]]],
  ['uuid', [[SOME, Uuid.fromString(SOME)], ['00000000-0000-0000-0000-000000000000', Uuid.fromString('00000000-0000-0000-0000-000000000000')]]],
  ['varint', ['0', '-1', '128', '-129', MANY].map(text => [text, Integer.fromString(text)])],
  ['list<int>', [['[3, 1, 1]', [3, 1, 1]]]],
  ['set<text>', [["{'b', 'a', ''}", new Set(['', 'a', 'b'])]]],
  ['map<text, int>', [["{'b': 2, 'a': -1}", new Map([['a', -1], ['b', 2]])]]],
  ['frozen<list<int>>', [['[]', []], ['[0]', [0]]]],
  ['frozen<set<int>>', [['{}', new Set()], ['{2, 1}', new Set([1, 2])]]],
  ['frozen<map<int, text>>', [['{}', new Map()], ["{1: ''}", new Map([[1, '']])]]],
  ['list<frozen<map<text, frozen<set<int>>>>>', [["[{'a': {1, 2}}]", [new Map([['a', new Set([1, 2])]])]]]],
  ['map<frozen<tuple<int, text>>, frozen<list<uuid>>>', [[`{(1, 'x'): [${SOME}]}`, new Map([[new Tuple(1, 'x'), [Uuid.fromString(SOME)]]])]]],
  ['tuple<int, text, frozen<list<int>>>', [["(1, 'a', [1])", new Tuple(1, 'a', [1])], ["(null, 'a', null)", new Tuple(null, 'a', null)], ["(1, '', [0])", new Tuple(1, '', [0])]]],
  ['frozen<street>', [["{name: 'Main', number: 1}", { name: 'Main', number: 1 }], ["{name: ''}", { name: '', number: null }]]],
  ['address', [["{street: {name: 'M', number: 2}, zip: 'z', tags: {'a', 'b'}}", { street: { name: 'M', number: 2 }, zip: 'z', tags: new Set(['a', 'b']) }],
    ["{zip: 'z'}", { street: null, zip: 'z', tags: null }]]],
  ['list<frozen<street>>', [["[{name: 'a', number: -1}]", [{ name: 'a', number: -1 }]]]],
  ['vector<float, 3>', [['[1, 0.5, -2]', new Vector([1, 0.5, -2], 'float')]]],
  ['vector<int, 2>', [['[1, -1]', new Vector([1, -1], 'int')]]],
  ['vector<text, 2>', [["['', 'abc']", new Vector(['', 'abc'], 'text')]]],
];

// A value's text, by which two are compared: its class and all that it holds.
exports.show = function show(value) {
  if (value === null || value === undefined) return 'null';
  if (Buffer.isBuffer(value)) return '0x' + value.toString('hex');
  if (Array.isArray(value)) return '[' + value.map(show).join(', ') + ']';
  if (value instanceof Set) return '{' + [...value].map(show).join(', ') + '}';
  if (value instanceof Map) return '{' + [...value].map(([k, v]) => show(k) + ': ' + show(v)).join(', ') + '}';
  if (value instanceof Tuple || value instanceof Vector) return value.constructor.name + show([...value.elements]);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value.constructor === Object) {
    return '{' + Object.keys(value).map(k => k + ': ' + show(value[k])).join(', ') + '}';
  }
  return typeof value === 'object' ? value.constructor.name + ' ' + value : JSON.stringify(typeof value === 'number' ? String(value) : value);
};
