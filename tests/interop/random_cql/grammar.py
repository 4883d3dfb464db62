"""The grammar of the random statements, as data.

A rule's name stands at the margin; its alternatives follow, each with its weight. In an alternative

    <rule>        is expanded            <rule?>       is expanded half of the time
    <rule+,>      one to three times     <rule+AND>    the same, with AND between them
    {leaf}        is made by the method leaf_… of generator.Generator, which knows the schema

Each alternative is a production; the walker counts how often it was part of a statement. A leaf that has nothing to offer
(a table without a map) makes the walker take another alternative.
"""
import re

TEXT = r"""
statement
  310 <select>
  150 <insert>
  130 <update>
   70 <delete>
   45 <batch>
    3 TRUNCATE <table_word?> {table}
    2 USE {keyspace}
   36 <alter_table>
   16 <create_table>
    3 <drop_table>
    7 <create_type>
    8 <alter_type>
    3 <drop_type>
   14 <create_index>
    4 <drop_index>
    14 <keyspace_statement>
   16 <refused>
   44 <auth>
   14 <describe>
table_word
    1 TABLE
if_exists
    1 IF EXISTS
if_not_exists
    1 IF NOT EXISTS

select
   60 SELECT <distinct?> <selection> FROM {table}{where} <tail> {filtering}
    6 SELECT JSON <selection> FROM {table}{where} <tail> {filtering}
   10 SELECT <selection> FROM {table}{where} {group_by} <tail> {filtering}
    8 SELECT <selection> FROM {table}{partition_where} ORDER BY {ordering} <tail> {filtering}
    3 SELECT <selection> FROM {table} ORDER BY {vector} ANN OF {term} LIMIT {small}
    5 SELECT DISTINCT {partition_columns} FROM {table}{distinct_where} <tail> {filtering}
distinct
    1 DISTINCT
   90 {nothing}
selection
   30 *
   60 <selector_as+,>
    8 COUNT(*)
    2 COUNT(1)
    2 {all_columns}
selector_as
   20 <selector>
    2 <selector> AS {alias}
selector
   60 {any}
   10 <aggregate>
   12 <function>
    4 {number} <arithmetic> {number}
    4 {number} <arithmetic> {literal}
    2 -{number}
    2 ({number} <arithmetic> {number}) <arithmetic> {constant}
    4 CAST({any} AS {native})
    1 ({native}) {constant}
    3 TTL({regular})
    3 WRITETIME({regular})
    2 MAXWRITETIME({any})
    1 TTL({collection}) 
    1 WRITETIME({map}[{key}])
    3 {udt}.{field}
    3 {map}[{key}]
    2 {set}[{element}]
    1 {map}[{key}..{key}]
    1 {set}[{element}..{element}]
    1 {set}[..{element}]
    1 [{any}]
    1 [{number}, {number}]
    1 ({any}, {any})
    1 {set_open}{any}}
    1 (map<text, int>){'a': 1}
    2 {constant}
    1 (text) 'x'
    1 NULL
arithmetic
    3 +
    3 -
    2 *
    1 /
    1 %
aggregate
    4 COUNT({any})
    4 MIN({any})
    4 MAX({any})
    3 SUM({number})
    3 AVG({number})
    1 SUM({any})
    1 MAX(<function>)
function
    3 toJson({any})
    2 to_json({any})
    3 token({partition_columns})
    1 token({any})
    2 to_date({time_like})
    2 to_timestamp({time_like})
    2 to_unix_timestamp({time_like})
    1 toDate({any})
    1 min_timeuuid({constant})
    2 abs({number})
    2 round({number})
    1 exp({number})
    1 log({number})
    1 log10({number})
    1 floor({number}, {constant})
    2 collection_count({collection})
    2 collection_min({collection})
    2 collection_max({collection})
    1 collection_sum({collection})
    1 collection_avg({collection})
    2 map_keys({map})
    2 map_values({map})
    2 mask_default({any})
    2 mask_null({any})
    2 mask_inner({text}, 1, 1)
    2 mask_outer({text}, 1, null)
    1 mask_replace({any}, {literal})
    1 mask_hash({text})
    2 {native}_as_blob({any})
    2 textAsBlob({text})
    1 blob_as_int({any})
    1 int_as_blob({constant})
    1 similarity_cosine({vector}, {term})
    1 similarity_euclidean({vector}, {term})
    1 similarity_dot_product({vector}, {term})
    1 {nowhere}({any})
tail
   60 {nothing}
    8 <per_partition?> <limit>
    6 <per_partition>
per_partition
    5 PER PARTITION LIMIT {small}
    1 PER PARTITION LIMIT 0
limit
    9 LIMIT {small}
    1 LIMIT -1
    1 LIMIT null
filtering
    1 ALLOW FILTERING
relation
   30 {indexable} = {term}
    8 {any} <comparison> {term}
    5 {any} IN (<terms>)
    1 {any} IN ()
    5 {collection} CONTAINS {element}
    3 {map} CONTAINS KEY {key}
    4 {map}[{key}] = {value}
    3 {clustering} <comparison> {term}
    2 ({clustering_list}) <comparison> {clustering_tuple}
    2 ({clustering_list}) IN ({clustering_tuple}, {clustering_tuple})
    1 ({clustering} = {term})
    1 {any} != {term}
    1 {text} LIKE {constant}
    1 {any} IS NOT NULL
    1 {udt}.{field} = {term}
    1 expr({index_name}, {constant})
comparison
    3 =
    3 <
    3 <=
    3 >
    3 >=
terms
    1 {term}
    2 {term}, {term}
    1 {term}, {term}, {term}
token_relation
    4 token({partition_columns}) <comparison> token({partition_terms})
    2 token({partition_columns}) <comparison> {bigint}
    2 token({partition_columns}) > {bigint} AND token({partition_columns}) <= {bigint}
    1 token({any}) > {bigint}

term
  110 {literal}
    4 null
    2 ({wanted_type}) {literal}
    2 CAST({literal} AS {native})
    2 <call>
    2 {only_numbers}{literal} <arithmetic> {literal}
    1 {only_numbers}-({literal})
    3 {wrong}
    1 {only_tuples}({constant}, {constant})
call
    1 {nowhere}()
    2 int_as_blob({constant})
    2 to_date({constant})
    1 from_json({constant})
    2 {only_numbers}abs({literal})
    1 token({constant})
    1 mask_null({literal})

insert
   50 INSERT INTO {table} {insert_columns}<if_new?>{using}
    9 INSERT INTO {table} JSON {json}<json_default?><if_new_rarely>{using}
if_new
    1 {lwt} IF NOT EXISTS
    2 {nothing}
if_new_rarely
    1 {lwt} IF NOT EXISTS
   19 {nothing}
json_default
    1  DEFAULT NULL
    1  DEFAULT UNSET
    1 {nothing}
usings
    6 USING TIMESTAMP {timestamp}
    3 USING TTL {ttl}
    2 USING TIMESTAMP {timestamp} AND TTL {ttl}
    1 USING TTL {ttl} AND TIMESTAMP {timestamp}

update
   50 UPDATE {table}{using} SET <assignment+,>{key_where}
   20 UPDATE {table} SET <assignment>{key_where}{lwt} IF <condition+AND>
    5 UPDATE {table} SET <assignment>{key_where}{lwt} IF EXISTS
   12 {counters}UPDATE {table} SET <count+,>{key_where}
assignment
   50 {regular} = {term}
    5 {static} = {term}
    6 {list} = {same} + {term}
    4 {list} = {term} + {same}
    3 {list} = {same} - {term}
    4 {list}[{small}] = {element}
    5 {set} = {same} + {term}
    3 {set} = {same} - {term}
    5 {map} = {same} + {term}
    3 {map} = {same} - {keys}
    6 {map}[{key}] = {value}
    5 {collection} += {term}
    3 {collection} -= {term}
    5 {udt}.{field} = {term}
    1 {any} = {any} + {term}
    1 {any} = {term}
    3 {only_counters}{counter} = {same} + {small}
count
    5 {counter} = {same} + {small}
    3 {counter} = {same} - {small}
    3 {counter} += {small}
    2 {counter} -= {small}
    1 {counter} = {small} + {same}
    1 {counter} = {same} -1
    1 {counter} = {small}
condition
   30 {regular} <condition_operator> {term}
    8 {static} <condition_operator> {term}
    6 {regular} IN (<terms>)
    1 {regular} IN ()
    6 {map}[{key}] <condition_operator> {value}
    5 {list}[{small}] <condition_operator> {element}
    5 {udt}.{field} <condition_operator> {term}
    4 {collection} CONTAINS {element}
    3 {map} CONTAINS KEY {key}
    2 {map}[{key}] IN ({value}, {value})
    1 {clustering} = {term}
condition_operator
    6 =
    2 !=
    2 <
    2 <=
    2 >
    2 >=

delete
   30 DELETE FROM {table}{using_timestamp}{delete_where}
   30 DELETE <deletion+,> FROM {table}{using_timestamp}{key_where}
    8 DELETE FROM {table}{key_where}{lwt} IF EXISTS
    8 DELETE <deletion> FROM {table}{key_where}{lwt} IF <condition+AND>
deletion
   20 {regular}
    5 {static}
    5 {map}[{key}]
    3 {set}[{element}]
    4 {list}[{small}]
    4 {udt}.{field}
    1 {any}

batch
   20 BEGIN BATCH{using} <member>; <member>; <member?> APPLY BATCH
   12 BEGIN UNLOGGED BATCH{using} <member> <member>; APPLY BATCH
    8 {counters}BEGIN COUNTER BATCH <counter_member>; <counter_member>; APPLY BATCH
    8 BEGIN BATCH <conditional_member>; <member>; APPLY BATCH
    1 BEGIN BATCH APPLY BATCH
    1 BEGIN BATCH <member>; <counter_member> APPLY BATCH
member
    5 INSERT INTO {table} {insert_columns}{using}
    5 UPDATE {table}{using} SET <assignment+,>{key_where}
    3 DELETE FROM {table}{using_timestamp}{delete_where}
    2 DELETE <deletion> FROM {table}{key_where}
counter_member
    1 UPDATE {table} SET <count>{key_where}
conditional_member
    3 INSERT INTO {table} {insert_columns}{lwt} IF NOT EXISTS
    3 UPDATE {table} SET <assignment>{key_where}{lwt} IF <condition>
    1 DELETE FROM {table}{key_where}{lwt} IF EXISTS

create_table
   20 CREATE TABLE <if_not_exists?> {create_table}
    1 CREATE TABLE {create_table} AND <table_property+AND>
    1 CREATE TABLE <if_not_exists?> {table} (k int PRIMARY KEY)
    1 CREATE TABLE {keyspace}.tx1 (k {type}, v {type})
    1 CREATE TABLE tx2 (k {type} PRIMARY KEY, c {type} STATIC)
    1 CREATE TABLE tx3 (k {type}, c {type}, v {type}, PRIMARY KEY (k, c))
    3 CREATE TABLE tx4 (k int PRIMARY KEY, v int) WITH <table_property+AND>
    1 CREATE TABLE tx5 (k int, c int, v counter, w int, PRIMARY KEY (k, c))
    9 CREATE TABLE tx6 (k int, c int, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (<direction>)
    1 CREATE TABLE tx7 (k int, k int, PRIMARY KEY (k))
    1 CREATE TABLE tx8 (k int PRIMARY KEY, v int) WITH COMPACT STORAGE
direction
    1 c DESC
    1 c
    1 k ASC
    1 x DESC
    1 c ASC, c DESC
table_property
    3 comment = 'words'
    2 gc_grace_seconds = {small}
    1 default_time_to_live = 100000000
    1 default_time_to_live = -1
    1 bloom_filter_fp_chance = 0.1
    1 bloom_filter_fp_chance = 3
    1 compaction = {'class': 'SizeTieredCompactionStrategy'}
    1 compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': '16'}
    1 compaction = {'class': 'Nowhere'}
    1 compression = {'class': 'LZ4Compressor'}
    1 compression = {'enabled': 'false'}
    1 caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}
    1 speculative_retry = '99p'
    1 speculative_retry = 'now'
    1 memtable_flush_period_in_ms = 0
    1 min_index_interval = 64
    1 read_repair = 'NONE'
    1 cdc = true
    1 extensions = {}
    1 additional_write_policy = '95p'
    1 nowhere = 1
alter_table
   10 ALTER TABLE <if_exists?> {table} ADD <if_not_exists?> {new_column}
    3 ALTER TABLE {table} ADD ({new_column}, {new_column})
    2 ALTER TABLE {table} ADD {new_column} STATIC
    1 ALTER TABLE {table} ADD <if_not_exists?> {any} {type}
    6 ALTER TABLE {table} DROP <if_exists?> {dropped}
    3 ALTER TABLE {table} DROP {dropped} USING TIMESTAMP {timestamp}
    1 ALTER TABLE {table} DROP ({dropped}, {dropped})
    1 ALTER TABLE {table} DROP {partition}
    3 ALTER TABLE {table} RENAME <if_exists?> {renamed}
    1 ALTER TABLE {table} RENAME {regular} TO x1
   16 ALTER TABLE {table} WITH <table_property+AND>
    1 ALTER TABLE {table} ALTER {any} TYPE {type}
    1 ALTER TABLE {table} DROP COMPACT STORAGE
    1 ALTER TABLE {table} ALTER {any} MASKED WITH DEFAULT
    1 ALTER TABLE IF EXISTS nowhere ADD x int
drop_table
    5 DROP TABLE <if_exists?> {dropped_table}
    1 DROP TABLE <if_exists?> nowhere
    1 DROP TABLE system.local
create_type
    6 CREATE TYPE <if_not_exists?> {create_type}
    1 CREATE TYPE <if_not_exists?> {type_name} (a int)
    1 CREATE TYPE tx1 (a int, a text)
    1 CREATE TYPE tx2 (a {type}, b nowhere)
    1 CREATE TYPE tx3 (a counter)
alter_type
    6 ALTER TYPE <if_exists?> {type_name} ADD <if_not_exists?> {new_field}
    4 ALTER TYPE {type_name} RENAME {renamed_field}
    1 ALTER TYPE {type_name} RENAME <if_exists?> x TO y AND y TO z
    1 ALTER TYPE {type_name} ALTER x TYPE int
    1 ALTER TYPE <if_exists?> nowhere ADD a int
drop_type
    4 DROP TYPE <if_exists?> {dropped_type}
    1 DROP TYPE <if_exists?> nowhere
create_index
   10 CREATE INDEX <if_not_exists?> {index_name_new} ON {table} ({indexed})
    3 CREATE INDEX <if_not_exists?> ON {table} ({indexed})
    3 CREATE INDEX {index_name_new} ON {table} (VALUES({collection}))
    3 CREATE INDEX {index_name_new} ON {table} (KEYS({map}))
    3 CREATE INDEX {index_name_new} ON {table} (ENTRIES({map}))
    2 CREATE INDEX {index_name_new} ON {table} (FULL({any}))
    5 CREATE CUSTOM INDEX {index_name_new} ON {table} ({indexed}) USING 'StorageAttachedIndex'
    1 CREATE INDEX {index_name_new} ON {table} ({indexed}) USING 'sai'
    1 CREATE CUSTOM INDEX {index_name_new} ON {table} ({text}) USING 'sai' WITH OPTIONS = {'case_sensitive': 'false'}
    1 CREATE CUSTOM INDEX ON {table} ({any}) USING 'nowhere'
    1 CREATE CUSTOM INDEX ON {table} ({any})
    1 CREATE INDEX ON {table} ({any}, {any})
    1 CREATE INDEX ON {table} ()
drop_index
    4 DROP INDEX <if_exists?> {dropped_index}
    1 DROP INDEX <if_exists?> nowhere
keyspace_statement
    2 CREATE KEYSPACE {keyspace} WITH <keyspace_property>
    2 CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH <keyspace_property>
    2 ALTER KEYSPACE <if_exists?> {keyspace} WITH <keyspace_property> AND DURABLE_WRITES = true
    1 ALTER KEYSPACE <if_exists?> nowhere WITH <keyspace_property>
    1 CREATE KEYSPACE {keyspace}_2 WITH <keyspace_property>
    1 DROP KEYSPACE <if_exists?> {keyspace}_2
    1 DROP KEYSPACE <if_exists?> nowhere
    1 ALTER KEYSPACE {keyspace} WITH nowhere = 1
    1 CREATE KEYSPACE system WITH <keyspace_property>
    1 ALTER KEYSPACE system WITH <keyspace_property>
    1 USE nowhere
keyspace_property
    6 replication = {'class': 'SimpleStrategy', 'replication_factor': 1}
    1 replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}
    1 replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 1}
    1 replication = {'class': 'Nowhere'}
    1 replication = {'class': 'SimpleStrategy', 'replication_factor': -1}
    1 replication = {'class': 'SimpleStrategy'}
    1 replication = {'replication_factor': 1}
refused
    3 CREATE MATERIALIZED VIEW <if_not_exists?> mv1 AS SELECT * FROM {table} WHERE {any} IS NOT NULL PRIMARY KEY ({any}, {any})
    1 ALTER MATERIALIZED VIEW <if_exists?> mv1 WITH comment = 'x'
    1 DROP MATERIALIZED VIEW <if_exists?> mv1
    2 CREATE <or_replace?> FUNCTION <if_not_exists?> fx1 (a {native}) <on_null> ON NULL INPUT RETURNS {native} LANGUAGE java AS 'return a;'
    2 DROP FUNCTION <if_exists?> fx1
    1 DROP FUNCTION <if_exists?> fx1 (int, text)
    2 CREATE <or_replace?> AGGREGATE <if_not_exists?> ax1 ({native}) SFUNC fx1 STYPE {native} INITCOND {constant}
    1 CREATE AGGREGATE ax1 ({native}) SFUNC fx1 STYPE {native} FINALFUNC fx1
    2 DROP AGGREGATE <if_exists?> ax1
    1 DROP AGGREGATE <if_exists?> ax1 (int)
    1 CREATE TRIGGER <if_not_exists?> tr1 ON {table} USING 'nowhere'
    1 DROP TRIGGER <if_exists?> tr1 ON {table}
or_replace
    1 OR REPLACE
on_null
    1 CALLED
    1 RETURNS NULL

auth
    3 CREATE ROLE <if_not_exists?> {role}
    3 CREATE ROLE {role} WITH <role_option+AND>
    3 ALTER ROLE <if_exists?> {role} WITH <role_option+AND>
    2 DROP ROLE <if_exists?> {role}
    2 CREATE USER <if_not_exists?> {role} WITH PASSWORD 'x' <superuser?>
    1 CREATE USER {role} <superuser?>
    2 ALTER USER <if_exists?> {role} WITH PASSWORD 'x' <superuser?>
    2 DROP USER <if_exists?> {role}
    2 LIST USERS
    2 GRANT {role} TO {role}
    2 REVOKE {role} FROM {role}
    2 LIST ROLES <of_role?> <norecursive?>
    9 GRANT <permissions> ON <resource> TO {role}
    7 REVOKE <permissions> ON <resource> FROM {role}
    4 LIST <permissions> <on_resource?> <of_role?> <norecursive?>
role_option
    2 PASSWORD = 'x'
    1 HASHED PASSWORD = 'x'
    2 LOGIN = true
    2 SUPERUSER = false
    1 OPTIONS = {'a': 'b'}
    1 ACCESS TO ALL DATACENTERS
    1 ACCESS TO DATACENTERS {'datacenter1'}
    1 ACCESS FROM ALL CIDRS
superuser
    1 SUPERUSER
    1 NOSUPERUSER
of_role
    1 OF {role}
norecursive
    1 NORECURSIVE
on_resource
    1 ON <resource>
permissions
    2 ALL
    2 ALL PERMISSIONS
    5 <permission>
    1 <permission> PERMISSION
    2 <permission>, <permission>
permission
    1 CREATE
    1 ALTER
    1 DROP
    1 SELECT
    1 MODIFY
    1 AUTHORIZE
    1 DESCRIBE
    1 EXECUTE
    1 UNMASK
    1 SELECT_MASKED
resource
    1 ALL KEYSPACES
    1 KEYSPACE {keyspace}
    1 KEYSPACE nowhere
    1 TABLE {table}
    1 {table}
    1 ALL TABLES IN KEYSPACE {keyspace}
    1 ALL ROLES
    1 ROLE {role}
    1 ALL FUNCTIONS
    1 ALL FUNCTIONS IN KEYSPACE {keyspace}
    1 FUNCTION fx1 (int)
    1 ALL MBEANS
    1 MBEAN 'x'
    1 MBEANS 'x*'

describe
    1 DESCRIBE KEYSPACES
    2 DESCRIBE KEYSPACE {keyspace}
    1 DESC KEYSPACE {keyspace}
    1 DESCRIBE TABLES
    3 DESCRIBE TABLE {table}
    1 DESCRIBE TYPES
    2 DESCRIBE TYPE {type_name}
    1 DESCRIBE FUNCTIONS
    1 DESCRIBE FUNCTION nowhere
    1 DESCRIBE AGGREGATES
    1 DESCRIBE AGGREGATE nowhere
    1 DESCRIBE INDEX {dropped_index}
    1 DESCRIBE MATERIALIZED VIEW nowhere
    1 DESCRIBE {table}
    1 DESCRIBE nowhere
"""

PART = re.compile(r"<([a-z_]+)(\?|\+,|\+AND)?>|\{([a-z_]+)\}")


def rules():
    """{rule: [(weight, alternative)]}"""
    made, name = {}, None
    for line in TEXT.splitlines():
        if not line.strip():
            continue
        if line[0] != " ":
            name = line.strip()
            made[name] = []
        else:
            weight, alternative = line.strip(" ").split(" ", 1) if " " in line.strip(" ") else (line.strip(" "), "")
            made[name].append((int(weight), alternative))
    return made
