// The parser against Cassandra's own words: appendix B.1 of the reference, the whole corpus, the
// trees of each kind of statement, and texts that nobody would write.
#include "cql/parser/parser.h"

#include "tests/cql/parser/corpus_cases.h"

static struct arena arena;
static struct cql_error error;

static void setup(void)
{
    arena_init(&arena, 16384);
}

static void teardown(void)
{
    arena_deinit(&arena);
}

// From a copy of exactly the text's size, so that a sanitizer sees any read past its end.
static bool can_parse(struct slice text)
{
    uint8_t *copy = malloc(text.size == 0 ? 1 : text.size);
    memcpy(copy, text.data, text.size);
    const struct cql_statement_ast *statement;
    error.text[0] = 0;
    bool is_parsed = cql_parse(slice_make(copy, text.size), &arena, &statement, &error);
    free(copy);
    if (!is_parsed) {
        // Of a function's resource without its keyspace it is INVALID.
        ck_assert(error.code == CQL_ERROR_SYNTAX || error.code == CQL_ERROR_INVALID);
        ck_assert_uint_gt(strlen(error.text), 0);
    }
    arena_reset(&arena);
    return is_parsed;
}

static const struct cql_statement_ast *parse(const char *text)
{
    const struct cql_statement_ast *statement = NULL;
    bool is_parsed = cql_parse(slice_of_text(text), &arena, &statement, &error);
    ck_assert_msg(is_parsed, "%s: %s", text, error.text);
    return statement;
}

#define ck_assert_slice(slice, text)                                                               \
    ck_assert_msg(slice_equals((slice), slice_of_text(text)), "'%.*s' is not '%s'",                \
                  (int)(slice).size, (const char *)(slice).data, (text))

// ---- Messages ----------------------------------------------------------------------------------

struct refusal {
    const char *statement, *text;
};

// clang-format off
static const struct refusal refusals[] = {
    {"SELEC * FROM t",
     "line 1:0 no viable alternative at input 'SELEC' ([SELEC]...)"},
    {"SELECT * FORM t",
     "line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)"},
    {"SELECT * FROM",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE a",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE a =",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE a = 1 AND",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT FROM t",
     "line 1:7 no viable alternative at input 'FROM' (SELECT [FROM]...)"},
    {"SELECT * FROM t LIMIT",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE a = 'x",
     "line 1:28 mismatched character '<EOF>' expecting '''"},
    {" ",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {";",
     "line 1:0 no viable alternative at input ';' ([;])"},
    {"INSERT INTO t (a, b) VALUES (1, 2",
     "line 0:-1 mismatched input '<EOF>' expecting ')'"},
    {"INSERT INTO t VALUES (1)",
     "line 1:14 no viable alternative at input 'VALUES' (INSERT INTO [t] VALUES...)"},
    {"INSERT INTO t (a) VALUE (1)",
     "line 1:18 mismatched input 'VALUE' expecting K_VALUES (INSERT INTO t (a) [VALUE]...)"},
    {"UPDATE t SET a = 1",
     "line 0:-1 mismatched input '<EOF>' expecting K_WHERE"},
    {"UPDATE t SET a = b + 1 WHERE k = 1",
     "Only expressions of the form X = X +<value> are supported."},
    {"UPDATE t SET a = 1 + b WHERE k = 1",
     "Only expressions of the form X = <value> + X are supported."},
    {"UPDATE t SET a +1 WHERE k=1",
     "line 1:15 no viable alternative at input '+' (UPDATE t SET a [+]...)"},
    {"DELETE FROM t",
     "line 0:-1 mismatched input '<EOF>' expecting K_WHERE"},
    {"CREATE TABLE t a int",
     "line 1:15 no viable alternative at input 'a' (CREATE TABLE [t] a...)"},
    {"CREATE TABLE select (a int PRIMARY KEY)",
     "line 1:13 no viable alternative at input 'select' (CREATE TABLE [select]...)"},
    {"CREATE TABLE t (select int PRIMARY KEY)",
     "line 1:16 no viable alternative at input 'select' (CREATE TABLE t ([select]...)"},
    {"CREATE TABLE t (a list<> PRIMARY KEY)",
     "line 1:23 no viable alternative at input '>' (... TABLE t (a list<[>]...)"},
    {"CREATE KEYSPACE ks",
     "line 0:-1 mismatched input '<EOF>' expecting K_WITH"},
    {"CREATE KEYSPACE ks WITH replication = {'class':'SimpleStrategy','replication_factor':1} AND foo",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"DROP TABLE",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"DROP TABEL t",
     "line 1:5 no viable alternative at input 'TABEL' ([DROP] TABEL...)"},
    {"USE",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"USE 'x'",
     "line 1:4 no viable alternative at input 'x' (USE [']...)"},
    {"BEGIN BATCH SELECT * FROM t; APPLY BATCH",
     "line 1:12 mismatched input 'SELECT' expecting K_APPLY (BEGIN BATCH [SELECT]...)"},
    {"BEGIN BATCH INSERT INTO t (a) VALUES (1)",
     "line 0:-1 mismatched input '<EOF>' expecting K_APPLY"},
    {"TRUNCATE",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"ALTER TABLE t ADD",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"ALTER TABLE t",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t WHERE a <> 1",
     "line 1:25 no viable alternative at input '>' (... FROM t WHERE a <[>]...)"},
    {"SELECT * FROM t WHERE a OR b",
     "line 1:24 no viable alternative at input 'OR' (SELECT * FROM t WHERE [a] OR...)"},
    {"SELECT * FROM t WHERE a = 1 OR b = 2",
     "line 1:28 no viable alternative at input 'OR' (...t WHERE a = 1 [OR]...)"},
    {"SELECT a b FROM t",
     "line 1:9 no viable alternative at input 'b' (SELECT [a] b...)"},
    {"SELECT * FROM t ORDER a",
     "line 1:22 mismatched input 'a' expecting K_BY (SELECT * FROM t ORDER [a])"},
    {"SELECT * FROM t; SELECT * FROM t",
     "line 1:17 mismatched input 'SELECT' expecting EOF (SELECT * FROM t; [SELECT]...)"},
    {"SELECT * FROM t WHERE a = 0xzz",
     "line 1:28 no viable alternative at input 'zz' (... t WHERE a = 0x[zz])"},
    {"SELECT * FROM t -- c",
     "line 1:20 mismatched character '<EOF>' expecting set null"},
    {"SELECT * FROM t // c",
     "line 1:20 mismatched character '<EOF>' expecting set null"},
    {"GRANT SELECTX ON ks.t TO x",
     "line 1:14 mismatched input 'ON' expecting K_TO (GRANT SELECTX [ON]...)"},
    {"SELECT * FROM t USING TIMEOUT 5s",
     "line 1:16 mismatched input 'USING' expecting EOF (SELECT * FROM t [USING] TIMEOUT...)"},
    {"SELECT * FROM t BYPASS CACHE",
     "line 1:16 no viable alternative at input 'BYPASS' (SELECT * FROM [t] BYPASS...)"},
    {"SELECT * FROM t LIMIT 2 PER PARTITION LIMIT 1",
     "line 1:24 mismatched input 'PER' expecting EOF (...* FROM t LIMIT 2 [PER]...)"},
    {"SELECT * FROM ks.t.u",
     "line 1:18 mismatched input '.' expecting EOF (SELECT * FROM ks.t[.]...)"},
    {"SELECT * FROM t WHERE a BETWEEN 1 AND 2",
     "line 1:24 no viable alternative at input 'BETWEEN' (SELECT * FROM t WHERE [a] BETWEEN...)"},
    {"SELECT * FROM ?",
     "Bind variables cannot be used for table names"},
    {"INSERT INTO t (a,b) VALUES (1,2) USING TTL 10 AND TIMESTAMP 5 IF NOT EXISTS",
     "line 1:62 mismatched input 'IF' expecting EOF (...TTL 10 AND TIMESTAMP 5 [IF]...)"},
    {"CREATE FUNCTION f(a int) RETURNS int LANGUAGE java AS 'return a;'",
     "line 1:33 mismatched input 'int' expecting K_NULL (... f(a int) RETURNS [int]...)"},
    {"SELECT é FROM t",
     "line 1:7 no viable alternative at character 'é'"},
    {"SELECT * FROM t WHERE a = @",
     "line 1:26 no viable alternative at character '@'"},
    {"SELECT * FROM t WHERE a == 1",
     "line 1:25 no viable alternative at input '=' (... FROM t WHERE a =[=]...)"},
    {"INSERT INTO t (a) VALUES (00000000-0000-0000-0000-00000000000)",
     "line 1:61 mismatched character ')' expecting set null"},
    {"INSERT INTO t (a) VALUES (123abc)",
     "line 1:32 mismatched character ')' expecting set null"},
    {"SELECT * FROM t WHERE a = \"x\"",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"INSERT INTO t (k, v) VALUES (1, \"x\")",
     "line 1:35 no viable alternative at input ')' (... v) VALUES (1, [\"]x\"))"},
    {"CREATE TABLE t (k int PRIMARY KEY, v int) WITH bogus",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"CREATE TABLE t (k int, v int, PRIMARY KEY ((k), v)) WITH CLUSTERING ORDER BY (v DSC)",
     "line 1:80 no viable alternative at input 'DSC' (... CLUSTERING ORDER BY (v [DSC]...)"},
    {"explain select * from t",
     "line 1:0 no viable alternative at input 'explain' ([explain]...)"},
    {"SHOW TABLES",
     "line 1:0 no viable alternative at input 'SHOW' ([SHOW]...)"},
    {"help",
     "line 1:0 no viable alternative at input 'help' ([help])"},
    {"CREATE TABLE bad (a int PRIMARY KEY) WITH comment='x' AND comment='y'",
     "Multiple definitions for property 'comment'"},
    {"ALTER TABLE t WITH",
     "line 0:-1 no viable alternative at input '<EOF>'"},
    {"SELECT * FROM t LIMIT null",
     "line 1:22 no viable alternative at input 'null' (SELECT * FROM t LIMIT [null])"},
    {"INSERT INTO t (k, c, v) VALUES (1, 2, 3) USING TTL 'x'",
     "line 1:51 no viable alternative at input 'x' (...2, 3) USING TTL [']...)"},
    {"UPDATE cnt SET n = n2 + 1 WHERE k = 1 AND c = 2",
     "Only expressions of the form X = X +<value> are supported."},
    {"UPDATE t SET v = 2, v = 3 WHERE k = 1 AND c = 2",
     "Multiple incompatible setting of column v"},
    {"INSERT INTO t () VALUES ()",
     "line 1:15 no viable alternative at input ')' (INSERT INTO t ([)]...)"},
    {"CREATE ROLE r WITH PASSWORD = 'a' AND PASSWORD = 'b'",
     "Multiple definition for property 'PASSWORD'"},
};
// clang-format on
enum { REFUSAL_COUNT = sizeof refusals / sizeof refusals[0] };

START_TEST(refuses_in_cassandras_words)
{
    const struct refusal *refusal = &refusals[_i];
    ck_assert(!can_parse(slice_of_text(refusal->statement)));
    ck_assert_str_eq(error.text, refusal->text);
}
END_TEST

// The values of properties are judged by the statement, not by the parser.
static bool is_about_a_value(const char *text)
{
    static const char *const beginnings[] = {"Unknown property", "Invalid value for",
                                             "Invalid boolean value", "Invalid integer value",
                                             "Invalid double value"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        if (strncmp(text, beginnings[i], strlen(beginnings[i])) == 0) return true;
    }
    return false;
}

START_TEST(answers_the_corpus_as_cassandra_does)
{
    struct corpus_cases cases;
    corpus_cases_load(&cases);
    for (size_t i = 0; i < cases.count; i++) {
        const struct corpus_case *item = &cases.items[i];
        bool is_refused =
            item->error_code == CQL_ERROR_SYNTAX && !is_about_a_value(item->error_text);
        bool is_parsed = can_parse(item->statement);
        ck_assert_msg(is_parsed == !is_refused, "%s: %s: %s", item->file,
                      (const char *)item->statement.data, error.text);
        if (is_refused) ck_assert_str_eq(error.text, item->error_text);
    }
    corpus_cases_free(&cases);
}
END_TEST

// ---- Trees -------------------------------------------------------------------------------------

START_TEST(reads_a_select)
{
    const struct cql_statement_ast *statement =
        parse("SELECT JSON DISTINCT k AS \"Key\", count(*), ttl(m['x']), (int)v + -2 * k FROM ks.t "
              "WHERE k IN (1, ?) AND (c, d) >= (1, :x) AND token(k) < 5 AND m[1] = 2 "
              "GROUP BY k ORDER BY c DESC, d PER PARTITION LIMIT 2 LIMIT ? ALLOW FILTERING;");
    ck_assert_int_eq(statement->kind, CQL_AST_SELECT);
    ck_assert_uint_eq(statement->marker_count, 3);
    ck_assert(slice_is_null(statement->markers[0].name));
    ck_assert_slice(statement->markers[1].name, "x");
    const struct cql_select *select = &statement->select;
    ck_assert(select->is_json && select->is_distinct && select->allow_filtering);
    ck_assert_slice(select->table.keyspace, "ks");
    ck_assert_slice(select->table.name, "t");
    ck_assert_uint_eq(select->selector_count, 4);
    ck_assert_slice(select->selectors[0].alias, "Key");
    ck_assert(select->selectors[1].term->is_count_rows);
    ck_assert_int_eq(select->selectors[2].term->kind, CQL_TERM_TTL);
    ck_assert_int_eq(select->selectors[2].term->items[0]->kind, CQL_TERM_ELEMENT);
    const struct cql_term *sum = select->selectors[3].term;
    ck_assert_int_eq(sum->kind, CQL_TERM_OPERATION);
    ck_assert_int_eq(sum->items[0]->kind, CQL_TERM_TYPE_CAST);
    ck_assert_int_eq(sum->items[1]->operator, '*');
    ck_assert_slice(sum->text, "(int)v + -2 * k");

    ck_assert_uint_eq(select->where.count, 4);
    const struct cql_relation *relations = select->where.items;
    ck_assert_int_eq(relations[0].operator, CQL_OPERATOR_IN);
    ck_assert_uint_eq(relations[0].in_value_count, 2);
    ck_assert_int_eq(relations[1].kind, CQL_RELATION_TUPLE);
    ck_assert_uint_eq(relations[1].columns.count, 2);
    ck_assert_int_eq(relations[1].value->kind, CQL_TERM_TUPLE);
    ck_assert_int_eq(relations[2].kind, CQL_RELATION_TOKEN);
    ck_assert_int_eq(relations[3].kind, CQL_RELATION_ELEMENT);
    ck_assert_slice(relations[3].text, "m[1] = 2");
    ck_assert_uint_eq(select->group_by_count, 1);
    ck_assert_uint_eq(select->order_by_count, 2);
    ck_assert(select->order_by[0].descending && !select->order_by[1].descending);
    ck_assert_slice(select->per_partition_limit->value, "2");
    ck_assert_int_eq(select->limit->kind, CQL_TERM_MARKER);
    ck_assert_uint_eq(select->limit->marker, 2);
}
END_TEST

START_TEST(reads_words_that_are_names_too)
{
    const struct cql_select *select = &parse("SELECT distinct, json, ttl, key FROM t")->select;
    ck_assert_uint_eq(select->selector_count, 4);
    ck_assert(!select->is_distinct);
    ck_assert_slice(select->selectors[0].term->value, "distinct");
    select = &parse("SELECT \"A\"\"b\", Ab FROM \"T\"")->select;
    ck_assert_slice(select->selectors[0].term->value, "A\"b");
    ck_assert_slice(select->selectors[1].term->value, "ab");
    ck_assert_slice(select->table.name, "T");
}
END_TEST

START_TEST(reads_an_insert)
{
    const struct cql_insert *insert =
        &parse("INSERT INTO t (a, b) VALUES ('it''s', {x: 1, y: [1, 2]}) IF NOT EXISTS "
               "USING TTL 5 AND TIMESTAMP ?")
             ->insert;
    ck_assert_uint_eq(insert->columns.count, 2);
    ck_assert_slice(insert->values[0]->value, "it's");
    ck_assert_slice(insert->values[0]->text, "'it''s'");
    ck_assert_int_eq(insert->values[1]->kind, CQL_TERM_UDT);
    ck_assert_slice(insert->values[1]->field_names[1], "y");
    ck_assert_int_eq(insert->values[1]->items[1]->kind, CQL_TERM_LIST);
    ck_assert(insert->conditions.if_not_exists);
    ck_assert_slice(insert->using.ttl->value, "5");
    ck_assert_int_eq(insert->using.timestamp->kind, CQL_TERM_MARKER);

    insert = &parse("INSERT INTO t JSON '{}' DEFAULT UNSET")->insert;
    ck_assert(insert->json_default_unset);
    ck_assert_slice(insert->json->value, "{}");
}
END_TEST

START_TEST(reads_every_kind_of_assignment)
{
    static const enum cql_assignment_kind kinds[] = {
        CQL_ASSIGN,         CQL_ASSIGN_ADD, CQL_ASSIGN_SUBTRACT, CQL_ASSIGN_ADD,   CQL_ASSIGN_ADD,
        CQL_ASSIGN_PREPEND, CQL_ASSIGN,     CQL_ASSIGN_ELEMENT,  CQL_ASSIGN_FIELD,
    };
    const struct cql_update *update =
        &parse("UPDATE t USING TTL 1 SET a = 1 + 2, b = b + 1, c = c - 1, d = d -1, e += 1, "
               "f = [1] + f, g = now(), h[1] = 2, i.x = 3 WHERE k = 1 IF a = 1 AND l[0] IN (1, 2)")
             ->update;
    ck_assert_uint_eq(update->assignment_count, sizeof kinds / sizeof kinds[0]);
    for (size_t i = 0; i < update->assignment_count; i++)
        ck_assert_int_eq(update->assignments[i].kind, kinds[i]);
    ck_assert_slice(update->assignments[3].value->value, "-1");
    ck_assert_slice(update->assignments[3].text, "d = d -1");
    ck_assert_slice(update->assignments[8].field, "x");
    ck_assert_uint_eq(update->conditions.conditions.count, 2);
    ck_assert_int_eq(update->conditions.conditions.items[1].kind, CQL_RELATION_ELEMENT);
    ck_assert_int_eq(update->conditions.conditions.items[1].operator, CQL_OPERATOR_IN);
}
END_TEST

START_TEST(reads_a_delete_and_a_batch)
{
    const struct cql_statement_ast *statement =
        parse("BEGIN COUNTER BATCH USING TIMESTAMP 1 UPDATE t SET n = n + ? WHERE k = ?; "
              "DELETE a, m['x'], u.f FROM t USING TIMESTAMP 5 WHERE k = ? IF EXISTS APPLY BATCH;");
    ck_assert_int_eq(statement->batch.type, CQL_BATCH_COUNTER);
    ck_assert_uint_eq(statement->batch.statement_count, 2);
    ck_assert_uint_eq(statement->marker_count, 3);
    const struct cql_delete *part = &statement->batch.statements[1]->delete_;
    ck_assert_uint_eq(part->deletion_count, 3);
    ck_assert_ptr_nonnull(part->deletions[1].element);
    ck_assert_slice(part->deletions[2].field, "f");
    ck_assert(part->conditions.if_exists);
}
END_TEST

START_TEST(reads_a_create_table)
{
    const struct cql_create_table *create =
        &parse("CREATE TABLE IF NOT EXISTS hashtags (hashtag text, interval text, s set<int> "
               "STATIC, v vector<float, 3>, u frozen<list<ks.ut>>, mentions counter, "
               "PRIMARY KEY((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC) AND "
               "comment = 'x' AND caching = {'keys': 'ALL'} AND gc_grace_seconds = 5")
             ->create_table;
    ck_assert(create->if_not_exists);
    ck_assert_uint_eq(create->column_count, 6);
    ck_assert(create->columns[2].is_static);
    ck_assert_int_eq(create->columns[3].type->kind, CQL_TYPE_VECTOR);
    ck_assert_int_eq(create->columns[3].type->dimension, 3);
    ck_assert(create->columns[4].type->frozen);
    ck_assert_slice(create->columns[4].type->parameters[0]->name.keyspace, "ks");
    ck_assert_int_eq(create->columns[5].type->native, TYPE_COUNTER);
    ck_assert_uint_eq(create->primary_key_count, 1);
    ck_assert_slice(create->primary_keys[0].partition_key.items[0], "hashtag");
    ck_assert_slice(create->primary_keys[0].clustering.items[0], "interval");
    ck_assert(create->options.clustering_order[0].descending);
    ck_assert_uint_eq(create->options.properties.count, 3);
    ck_assert(create->options.properties.items[1].is_map);
    ck_assert_slice(create->options.properties.items[2].value, "5");
}
END_TEST

struct kind_of_text {
    enum cql_ast_kind kind;
    const char *text;
};

static const struct kind_of_text kinds[] = {
    {CQL_AST_USE, "USE \"K\""},
    {CQL_AST_TRUNCATE, "TRUNCATE TABLE ks.t"},
    {CQL_AST_CREATE_KEYSPACE, "CREATE KEYSPACE ks WITH replication = {'class': 'x'}"},
    {CQL_AST_ALTER_KEYSPACE, "ALTER KEYSPACE IF EXISTS ks WITH durable_writes = false"},
    {CQL_AST_DROP_KEYSPACE, "DROP KEYSPACE IF EXISTS ks"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t ADD (a int, b text STATIC)"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t DROP (a, b) USING TIMESTAMP 5"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t RENAME a TO b AND c TO d"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t ALTER a TYPE text"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t DROP COMPACT STORAGE"},
    {CQL_AST_ALTER_TABLE, "ALTER TABLE t ALTER a MASKED WITH DEFAULT"},
    {CQL_AST_DROP_TABLE, "DROP TABLE t"},
    {CQL_AST_CREATE_TYPE, "CREATE TYPE ks.ut (a int, b frozen<map<int, text>>)"},
    {CQL_AST_ALTER_TYPE, "ALTER TYPE ut RENAME a TO b"},
    {CQL_AST_DROP_TYPE, "DROP TYPE ut"},
    {CQL_AST_CREATE_INDEX, "CREATE CUSTOM INDEX i ON t (keys(m)) USING 'sai' WITH OPTIONS = {}"},
    {CQL_AST_DROP_INDEX, "DROP INDEX ks.i"},
    {CQL_AST_CREATE_VIEW, "CREATE MATERIALIZED VIEW v AS SELECT a, b FROM t WHERE a IS NOT NULL "
                          "PRIMARY KEY ((a, b), c) WITH CLUSTERING ORDER BY (c DESC)"},
    {CQL_AST_ALTER_VIEW, "ALTER MATERIALIZED VIEW v WITH comment = 'x'"},
    {CQL_AST_DROP_VIEW, "DROP MATERIALIZED VIEW v"},
    {CQL_AST_CREATE_FUNCTION, "CREATE OR REPLACE FUNCTION f (a int) CALLED ON NULL INPUT RETURNS "
                              "int LANGUAGE java AS $$return a;$$"},
    {CQL_AST_DROP_FUNCTION, "DROP FUNCTION f (int, list<text>)"},
    {CQL_AST_CREATE_AGGREGATE, "CREATE AGGREGATE a (int) SFUNC f STYPE int FINALFUNC g INITCOND 0"},
    {CQL_AST_DROP_AGGREGATE, "DROP AGGREGATE a"},
    {CQL_AST_CREATE_TRIGGER, "CREATE TRIGGER x ON t USING 'c'"},
    {CQL_AST_DROP_TRIGGER, "DROP TRIGGER x ON t"},
    {CQL_AST_CREATE_ROLE, "CREATE ROLE r WITH PASSWORD = 'x' AND LOGIN = true AND OPTIONS = "
                          "{'a': 1} AND ACCESS TO DATACENTERS {'a', 'b'}"},
    {CQL_AST_ALTER_ROLE, "ALTER ROLE 'r' WITH SUPERUSER = false"},
    {CQL_AST_DROP_ROLE, "DROP ROLE \"r\""},
    {CQL_AST_CREATE_USER, "CREATE USER u WITH PASSWORD 'x' NOSUPERUSER"},
    {CQL_AST_LIST_ROLES, "LIST ROLES OF r NORECURSIVE"},
    {CQL_AST_LIST_PERMISSIONS, "LIST ALL PERMISSIONS ON ALL KEYSPACES OF r"},
    {CQL_AST_GRANT_PERMISSIONS, "GRANT SELECT, MODIFY PERMISSION ON KEYSPACE ks TO r"},
    {CQL_AST_GRANT_ROLE, "GRANT r TO s"},
    {CQL_AST_REVOKE_PERMISSIONS, "REVOKE EXECUTE ON FUNCTION ks.f(int) FROM r"},
    {CQL_AST_REVOKE_ROLE, "REVOKE r FROM s"},
    {CQL_AST_ADD_IDENTITY, "ADD IDENTITY 'i' TO ROLE 'r'"},
    {CQL_AST_DROP_IDENTITY, "DROP IDENTITY 'i'"},
    {CQL_AST_DESCRIBE, "DESC FULL SCHEMA WITH INTERNALS"},
    {CQL_AST_DESCRIBE, "DESCRIBE ONLY KEYSPACE ks"},
    {CQL_AST_DESCRIBE, "DESCRIBE ks.tables"},
};

START_TEST(knows_each_kind_of_statement)
{
    ck_assert_int_eq(parse(kinds[_i].text)->kind, kinds[_i].kind);
}
END_TEST

START_TEST(describes_by_word_or_by_name)
{
    static const struct {
        const char *text;
        enum cql_describe_kind kind;
    } cases[] = {
        {"DESCRIBE TABLES", CQL_DESCRIBE_TABLES},
        {"DESC tables.x", CQL_DESCRIBE_ANY},
        {"DESCRIBE TABLE ks.t", CQL_DESCRIBE_TABLE},
        {"DESCRIBE KEYSPACE", CQL_DESCRIBE_KEYSPACE},
        {"DESCRIBE TYPE ks.ut", CQL_DESCRIBE_TYPE},
        {"DESCRIBE type", CQL_DESCRIBE_ANY},
        {"DESCRIBE CLUSTER", CQL_DESCRIBE_CLUSTER},
        {"DESCRIBE FUNCTION f", CQL_DESCRIBE_FUNCTION},
        {"DESCRIBE MATERIALIZED VIEW v", CQL_DESCRIBE_VIEW},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(parse(cases[i].text)->describe.kind, cases[i].kind);
}
END_TEST

START_TEST(reads_a_type_alone)
{
    const struct cql_type *type;
    ck_assert(cql_parse_type(slice_of_text("map<text, frozen<list<int>>>"), &arena, &type, &error));
    ck_assert_int_eq(type->kind, CQL_TYPE_MAP);
    ck_assert(type->parameters[1]->frozen && !type->frozen);
    ck_assert(!cql_parse_type(slice_of_text("map<text>"), &arena, &type, &error));
    ck_assert(!cql_parse_type(slice_of_text("int int"), &arena, &type, &error));
    ck_assert(!cql_parse_type(slice_of_text(""), &arena, &type, &error));
}
END_TEST

START_TEST(reads_a_term_alone)
{
    const struct cql_term *term;
    ck_assert(cql_parse_term(slice_of_text("{1: 'a', 2: 'b'}"), &arena, &term, &error));
    ck_assert_int_eq(term->kind, CQL_TERM_MAP);
    ck_assert_uint_eq(term->item_count, 4);
    ck_assert(!cql_parse_term(slice_of_text("?"), &arena, &term, &error));
}
END_TEST

// ---- Texts that nobody would write -------------------------------------------------------------

START_TEST(refuses_what_is_nested_too_deep)
{
    static const char *const openings[] = {
        "SELECT * FROM t WHERE k = ",
        "SELECT ",
        "SELECT * FROM t WHERE ",
        "CREATE TABLE t (k ",
    };
    static const char *const nests[] = {"(", "[", "{", "-", "list<", "f(", "(int)", "m["};
    char text[100000];
    for (size_t o = 0; o < sizeof openings / sizeof openings[0]; o++) {
        for (size_t n = 0; n < sizeof nests / sizeof nests[0]; n++) {
            size_t size = strlen(openings[o]), step = strlen(nests[n]);
            memcpy(text, openings[o], size);
            for (; size + step < sizeof text; size += step)
                memcpy(text + size, nests[n], step);
            ck_assert(!can_parse(slice_make(text, size)));
        }
    }
}
END_TEST

// `opening`, then `piece` again and again up to 4 MiB.
static void check_is_refused_when_endless(const char *opening, const char *piece, const char *text)
{
    struct buffer statement;
    buffer_init(&statement, 8u << 20);
    buffer_put(&statement, opening, strlen(opening));
    while (statement.size < 4u << 20)
        buffer_put(&statement, piece, strlen(piece));
    ck_assert(!can_parse(buffer_slice(&statement)));
    ck_assert_str_eq(error.text, text);
    buffer_deinit(&statement);
}

START_TEST(refuses_what_is_endless)
{
    check_is_refused_when_endless("SELECT * FROM t WHERE k IN (1", ",1",
                                  "The statement has more than 1048576 tokens");
    check_is_refused_when_endless("UPDATE t SET m[1] = 1", ",m[1]=1",
                                  "More than 16384 assignments");
}
END_TEST

START_TEST(survives_every_beginning_of_a_statement)
{
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        struct slice text = slice_of_text(refusals[i].statement);
        for (size_t size = 0; size < text.size; size++)
            (void)can_parse(slice_make(text.data, size));
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct slice text = slice_of_text(kinds[i].text);
        for (size_t size = 0; size < text.size; size++)
            (void)can_parse(slice_make(text.data, size));
    }
}
END_TEST

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Statements with a few bytes changed, removed or repeated.
START_TEST(survives_damaged_statements)
{
    static const char alphabet[] = "abkxPT019-+*/%().,:;'\"[]{}<>=!?$ \n\t_\xC3\xA9";
    uint64_t state = 0x9E3779B97F4A7C15;
    for (int round = 0; round < 20000; round++) {
        const char *statement =
            round % 2 == 0 ? refusals[next_random(&state) % REFUSAL_COUNT].statement
                           : kinds[next_random(&state) % (sizeof kinds / sizeof kinds[0])].text;
        char text[512];
        size_t size = strlen(statement);
        memcpy(text, statement, size);
        for (uint64_t changes = 1 + next_random(&state) % 4; changes > 0 && size > 0; changes--) {
            size_t at = next_random(&state) % size;
            if (next_random(&state) % 3 == 0) {
                memmove(text + at, text + at + 1, size - at - 1);
                size--;
            } else {
                text[at] = alphabet[next_random(&state) % (sizeof alphabet - 1)];
            }
        }
        (void)can_parse(slice_make(text, size));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parser");
    TCase *tests = tcase_create("parser");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, refuses_in_cassandras_words, 0, REFUSAL_COUNT);
    tcase_add_test(tests, answers_the_corpus_as_cassandra_does);
    tcase_add_test(tests, reads_a_select);
    tcase_add_test(tests, reads_words_that_are_names_too);
    tcase_add_test(tests, reads_an_insert);
    tcase_add_test(tests, reads_every_kind_of_assignment);
    tcase_add_test(tests, reads_a_delete_and_a_batch);
    tcase_add_test(tests, reads_a_create_table);
    tcase_add_loop_test(tests, knows_each_kind_of_statement, 0,
                        (int)(sizeof kinds / sizeof kinds[0]));
    tcase_add_test(tests, describes_by_word_or_by_name);
    tcase_add_test(tests, reads_a_type_alone);
    tcase_add_test(tests, reads_a_term_alone);
    tcase_add_test(tests, refuses_what_is_nested_too_deep);
    tcase_add_test(tests, refuses_what_is_endless);
    tcase_add_test(tests, survives_every_beginning_of_a_statement);
    tcase_add_test(tests, survives_damaged_statements);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
