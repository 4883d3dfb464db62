#include "cql/system/system_definitions.h"

#include "base/assert.h"
#include "cql/parser/parser.h"
#include "storage/uuid.h"

// ---- The definitions ---------------------------------------------------------------------------

struct keyspace_definition {
    const char *name;
    const char *strategy; // Of org.apache.cassandra.locator; NULL: a virtual keyspace.
    const char *replication_factor;
    int32_t gc_grace_seconds;
    int32_t memtable_flush_period_in_ms;
};

static const struct keyspace_definition keyspaces[] = {
    {"system", "LocalStrategy", NULL, 0, 3600000},
    {"system_schema", "LocalStrategy", NULL, 604800, 3600000},
    {"system_auth", "SimpleStrategy", "1", 7776000, 0},
    {"system_traces", "SimpleStrategy", "2", 0, 0},
    {"system_distributed", "SimpleStrategy", "3", 864000, 0},
    {"system_virtual_schema", NULL, NULL, 864000, 0},
    {"system_views", NULL, NULL, 864000, 0},
};
enum { KEYSPACE_COUNT = sizeof keyspaces / sizeof keyspaces[0] };

// `columns`: "name type", with PK behind a column of the partition key and CK behind a clustering
// one, in the order of the keys.
struct table_definition {
    const char *keyspace, *name, *id, *comment, *columns;
};

// clang-format off
static const struct table_definition tables[] = {
    {"system", "IndexInfo", "9f5c6374-d485-3229-9a0a-5094af9ad1e3",
     "built column indexes",
     "table_name text PK,index_name text CK,value blob"},
    {"system", "batches", "919a4bc5-7a33-3573-b03e-13fc3f68b465",
     "batches awaiting replay",
     "id timeuuid PK,mutations list<blob>,version int"},
    {"system", "paxos", "b7b7f0c2-fd0a-3410-8c05-3ef614bb7c2d",
     "in-progress paxos proposals",
     "row_key blob PK,cf_id uuid CK,in_progress_ballot timeuuid,"
     "in_progress_read_ballot timeuuid,most_recent_commit blob,"
     "most_recent_commit_at timeuuid,most_recent_commit_version int,proposal blob,"
     "proposal_ballot timeuuid,proposal_version int"},
    {"system", "paxos_repair_history", "ecb86667-40b2-3316-bb91-e612c8047457",
     "paxos repair history",
     "keyspace_name text PK,table_name text CK,points frozen<list<frozen<tuple<blob,"
     "timeuuid>>>>"},
    {"system", "local", "7ad54392-bcdd-35a6-8417-4e047860b377",
     "information about the local node",
     "key text PK,bootstrapped text,broadcast_address inet,broadcast_port int,"
     "cluster_name text,cql_version text,data_center text,gossip_generation int,"
     "host_id uuid,listen_address inet,listen_port int,native_protocol_version text,"
     "partitioner text,rack text,release_version text,rpc_address inet,rpc_port int,"
     "schema_version uuid,tokens set<text>,truncated_at map<uuid,blob>"},
    {"system", "peers_v2", "c4325fbb-8e5e-3baf-bd07-0f9250ed818e",
     "information about known peers in the cluster",
     "peer inet PK,peer_port int CK,data_center text,host_id uuid,native_address inet,"
     "native_port int,preferred_ip inet,preferred_port int,rack text,release_version text,"
     "schema_version uuid,tokens set<text>"},
    {"system", "peers", "37f71aca-7dc2-383b-a706-72528af04d4f",
     "information about known peers in the cluster",
     "peer inet PK,data_center text,host_id uuid,preferred_ip inet,rack text,"
     "release_version text,rpc_address inet,schema_version uuid,tokens set<text>"},
    {"system", "peer_events_v2", "0e65065f-e401-38ed-9507-b9213fae8d11",
     "events related to peers",
     "peer inet PK,peer_port int CK,hints_dropped map<timeuuid,int>"},
    {"system", "peer_events", "59dfeaea-8db2-3341-91ef-109974d81484",
     "events related to peers",
     "peer inet PK,hints_dropped map<timeuuid,int>"},
    {"system", "compaction_history", "b4dbb7b4-dc49-3fb5-b3bf-ce6e434832ca",
     "week-long compaction history",
     "id timeuuid PK,bytes_in bigint,bytes_out bigint,columnfamily_name text,"
     "compacted_at timestamp,compaction_properties frozen<map<text,text>>,"
     "keyspace_name text,rows_merged map<int,bigint>"},
    {"system", "sstable_activity", "5a1ff267-ace0-3f12-8563-cfae6103c65e",
     "historic sstable read rates",
     "keyspace_name text PK,columnfamily_name text PK,generation int PK,rate_120m double,"
     "rate_15m double"},
    {"system", "sstable_activity_v2", "62efe31f-3be8-310c-8d29-8963439c1288",
     "historic sstable read rates",
     "keyspace_name text PK,table_name text PK,id text PK,rate_120m double,rate_15m double"},
    {"system", "size_estimates", "618f817b-005f-3678-b8a4-53f3930b8e86",
     "per-table primary range size estimates, table is deprecated in favor of table_estimates",
     "keyspace_name text PK,table_name text CK,range_start text CK,range_end text CK,"
     "mean_partition_size bigint,partitions_count bigint"},
    {"system", "table_estimates", "176c39cd-b93d-33a5-a218-8eb06a56f66e",
     "per-table range size estimates",
     "keyspace_name text PK,table_name text CK,range_type text CK,range_start text CK,"
     "range_end text CK,mean_partition_size bigint,partitions_count bigint"},
    {"system", "available_ranges_v2", "4224a088-2ac9-3d0c-889d-fbb5f0facda0",
     "available keyspace/ranges during bootstrap/replace that are ready to be served",
     "keyspace_name text PK,full_ranges set<blob>,transient_ranges set<blob>"},
    {"system", "available_ranges", "c539fcab-d65a-31d1-8133-d25605643ee3",
     "available keyspace/ranges during bootstrap/replace that are ready to be served",
     "keyspace_name text PK,ranges set<blob>"},
    {"system", "transferred_ranges_v2", "1ff78f1a-7df1-3a2a-a998-6f4932270af5",
     "record of transferred ranges for streaming operation",
     "operation text PK,keyspace_name text PK,peer inet CK,peer_port int CK,"
     "ranges set<blob>"},
    {"system", "transferred_ranges", "6cad20f7-d4f5-3af2-b6e2-0da33c6c1f83",
     "record of transferred ranges for streaming operation",
     "operation text PK,keyspace_name text PK,peer inet CK,ranges set<blob>"},
    {"system", "view_builds_in_progress", "6c22df66-c3bd-3df6-b74d-21179c6a9fe9",
     "views builds current progress",
     "keyspace_name text PK,view_name text CK,start_token text CK,end_token text CK,"
     "keys_built bigint,last_token text"},
    {"system", "built_views", "4b3c50a9-ea87-3d76-9101-6dbc9c38494a",
     "built views",
     "keyspace_name text PK,view_name text CK,status_replicated boolean"},
    {"system", "prepared_statements", "18a9c257-6a0c-3841-ba71-8cd529849fef",
     "prepared statements",
     "prepared_id blob PK,logged_keyspace text,query_string text"},
    {"system", "repairs", "a3d277d1-cfaf-36f5-a2a7-38d5eea9ad6a",
     "repairs",
     "parent_id timeuuid PK,cfids set<uuid>,coordinator inet,coordinator_port int,"
     "last_update timestamp,participants set<inet>,participants_wp set<text>,"
     "ranges set<blob>,repaired_at timestamp,started_at timestamp,state int"},
    {"system", "top_partitions", "7e5a361c-317c-351f-b15f-ffd8afd3dd4b",
     "Stores the top partitions",
     "keyspace_name text PK,table_name text CK,top_type text CK,last_update timestamp,"
     "top frozen<list<frozen<tuple<text,bigint>>>>"},
    {"system_schema", "keyspaces", "abac5682-dea6-31c5-b535-b3d6cffd0fb6",
     "keyspace definitions",
     "keyspace_name text PK,durable_writes boolean,replication frozen<map<text,text>>"},
    {"system_schema", "tables", "afddfb9d-bc1e-3068-8056-eed6c302ba09",
     "table definitions",
     "keyspace_name text PK,table_name text CK,additional_write_policy text,"
     "allow_auto_snapshot boolean,bloom_filter_fp_chance double,caching frozen<map<text,"
     "text>>,cdc boolean,comment text,compaction frozen<map<text,text>>,"
     "compression frozen<map<text,text>>,crc_check_chance double,"
     "dclocal_read_repair_chance double,default_time_to_live int,"
     "extensions frozen<map<text,blob>>,flags frozen<set<text>>,gc_grace_seconds int,"
     "id uuid,incremental_backups boolean,max_index_interval int,memtable text,"
     "memtable_flush_period_in_ms int,min_index_interval int,read_repair text,"
     "read_repair_chance double,speculative_retry text"},
    {"system_schema", "columns", "24101c25-a2ae-3af7-87c1-b40ee1aca33f",
     "column definitions",
     "keyspace_name text PK,table_name text CK,column_name text CK,clustering_order text,"
     "column_name_bytes blob,kind text,position int,type text"},
    {"system_schema", "column_masks", "738cc5ed-0168-3268-b9d1-853d4bc278af",
     "column dynamic data masks",
     "keyspace_name text PK,table_name text CK,column_name text CK,"
     "function_argument_nulls frozen<list<boolean>>,"
     "function_argument_types frozen<list<text>>,"
     "function_argument_values frozen<list<text>>,function_keyspace text,"
     "function_name text"},
    {"system_schema", "triggers", "4df70b66-6b05-3251-95a1-32b54005fd48",
     "trigger definitions",
     "keyspace_name text PK,table_name text CK,trigger_name text CK,"
     "options frozen<map<text,text>>"},
    {"system_schema", "dropped_columns", "5e7583b5-f3f4-3af1-9a39-b7e1d6f5f11f",
     "dropped column registry",
     "keyspace_name text PK,table_name text CK,column_name text CK,dropped_time timestamp,"
     "kind text,type text"},
    {"system_schema", "views", "9786ac1c-dd58-3201-a7cd-ad556410c985",
     "view definitions",
     "keyspace_name text PK,view_name text CK,additional_write_policy text,"
     "allow_auto_snapshot boolean,base_table_id uuid,base_table_name text,"
     "bloom_filter_fp_chance double,caching frozen<map<text,text>>,cdc boolean,"
     "comment text,compaction frozen<map<text,text>>,compression frozen<map<text,text>>,"
     "crc_check_chance double,dclocal_read_repair_chance double,default_time_to_live int,"
     "extensions frozen<map<text,blob>>,gc_grace_seconds int,id uuid,"
     "include_all_columns boolean,incremental_backups boolean,max_index_interval int,"
     "memtable text,memtable_flush_period_in_ms int,min_index_interval int,"
     "read_repair text,read_repair_chance double,speculative_retry text,where_clause text"},
    {"system_schema", "types", "5a8b1ca8-6602-3f77-a045-9273d308917a",
     "user defined type definitions",
     "keyspace_name text PK,type_name text CK,field_names frozen<list<text>>,"
     "field_types frozen<list<text>>"},
    {"system_schema", "functions", "96489b79-80be-3e14-a701-66a0b9159450",
     "user defined function definitions",
     "keyspace_name text PK,function_name text CK,argument_types frozen<list<text>> CK,"
     "argument_names frozen<list<text>>,body text,called_on_null_input boolean,"
     "language text,return_type text"},
    {"system_schema", "aggregates", "924c5587-2e3a-345b-b10c-12f37c1ba895",
     "user defined aggregate definitions",
     "keyspace_name text PK,aggregate_name text CK,argument_types frozen<list<text>> CK,"
     "final_func text,initcond text,return_type text,state_func text,state_type text"},
    {"system_schema", "indexes", "0feb57ac-311f-382f-ba6d-9024d305702f",
     "secondary index definitions",
     "keyspace_name text PK,table_name text CK,index_name text CK,kind text,"
     "options frozen<map<text,text>>"},
    {"system_auth", "roles", "5bc52802-de25-35ed-aeab-188eecebb090",
     "role definitions",
     "role text PK,can_login boolean,is_superuser boolean,member_of set<text>,"
     "salted_hash text"},
    {"system_auth", "role_members", "0ecdaa87-f8fb-3e60-88d1-74fb36fe5c0d",
     "role memberships lookup table",
     "role text PK,member text CK"},
    {"system_auth", "role_permissions", "3afbe79f-2194-31a7-add7-f5ab90d8ec9c",
     "permissions granted to db roles",
     "role text PK,resource text CK,permissions set<text>"},
    {"system_auth", "resource_role_permissons_index", "5f2fbdad-91f1-3946-bd25-d5da3a5c35ec",
     "index of db roles with permissions granted on a resource",
     "resource text PK,role text CK"},
    {"system_auth", "network_permissions", "d46780c2-2f1c-3db9-b4c1-b8d9fbc0cc23",
     "user network permissions",
     "role text PK,dcs frozen<set<text>>"},
    {"system_auth", "cidr_permissions", "b8b43d5f-d6c0-331c-8f7d-765ea658f4c4",
     "user cidr permissions",
     "role text PK,cidr_groups frozen<set<text>>"},
    {"system_auth", "cidr_groups", "9c48af00-13f6-3059-bb0e-8fcabba6eecb",
     "cidr groups to cidrs mapping",
     "cidr_group text PK,cidrs frozen<set<frozen<tuple<inet,smallint>>>>"},
    {"system_auth", "identity_to_role", "0bd47a48-d6ba-3c8e-b442-0f6349329bda",
     "mtls authorized identities lookup table",
     "identity text PK,role text"},
    {"system_traces", "sessions", "c5e99f16-8677-3914-b17e-960613512345",
     "tracing sessions",
     "session_id uuid PK,client inet,command text,coordinator inet,coordinator_port int,"
     "duration int,parameters map<text,text>,request text,started_at timestamp"},
    {"system_traces", "events", "8826e8e9-e16a-3728-8753-3bc1fc713c25",
     "tracing events",
     "session_id uuid PK,event_id timeuuid CK,activity text,source inet,"
     "source_elapsed int,source_port int,thread text"},
    {"system_distributed", "repair_history", "759fffad-624b-3181-80ee-fa9a52d1f627",
     "Repair history",
     "keyspace_name text PK,columnfamily_name text PK,id timeuuid CK,coordinator inet,"
     "coordinator_port int,exception_message text,exception_stacktrace text,"
     "finished_at timestamp,parent_id timeuuid,participants set<inet>,"
     "participants_v2 set<text>,range_begin text,range_end text,started_at timestamp,"
     "status text"},
    {"system_distributed", "parent_repair_history", "deabd734-b99d-3b9c-92e5-fd92eb5abf14",
     "Repair history",
     "parent_id timeuuid PK,columnfamily_names set<text>,exception_message text,"
     "exception_stacktrace text,finished_at timestamp,keyspace_name text,options map<text,"
     "text>,requested_ranges set<text>,started_at timestamp,successful_ranges set<text>"},
    {"system_distributed", "view_build_status", "5582b59f-8e4e-35e1-b913-3acada51eb04",
     "Materialized View build status",
     "keyspace_name text PK,view_name text PK,host_id uuid CK,status text"},
    {"system_distributed", "partition_denylist", "d6123acc-8649-3496-9d4e-f3fe39a6018b",
     "Partition keys which have been denied access",
     "ks_name text PK,table_name text PK,key blob CK"},
    {"system_virtual_schema", "keyspaces", "8943287a-b42b-3f26-a2b2-31a1a8cb2a9a",
     "virtual keyspace definitions",
     "keyspace_name text PK"},
    {"system_virtual_schema", "tables", "de8b2957-3de1-3570-8793-6dcbce2e5d6e",
     "virtual table definitions",
     "keyspace_name text PK,table_name text CK,comment text"},
    {"system_virtual_schema", "columns", "d30576e9-02a9-3735-8daf-ab45e4980183",
     "virtual column definitions",
     "keyspace_name text PK,table_name text CK,column_name text CK,clustering_order text,"
     "column_name_bytes blob,kind text,position int,type text"},
    {"system_views", "caches", "c456053d-ded6-3f10-b770-daba90c4dd83",
     "system caches",
     "name text PK,capacity_bytes bigint,entry_count int,hit_count bigint,"
     "hit_ratio double,recent_hit_rate_per_second bigint,"
     "recent_request_rate_per_second bigint,request_count bigint,size_bytes bigint"},
    {"system_views", "clients", "89dc73d4-1447-3765-948b-500c7c35a35d",
     "currently connected clients",
     "address inet PK,port int CK,client_options frozen<map<text,text>>,"
     "connection_stage text,driver_name text,driver_version text,hostname text,"
     "keyspace_name text,protocol_version int,request_count bigint,ssl_cipher_suite text,"
     "ssl_enabled boolean,ssl_protocol text,username text"},
    {"system_views", "settings", "5adfcadb-4407-3c1f-b97e-322735089073",
     "current settings",
     "name text PK,value text"},
    {"system_views", "system_properties", "f3e4b9bf-ad78-34a2-98ff-bfde82880573",
     "Cassandra relevant system properties",
     "name text PK,value text"},
    {"system_views", "sstable_tasks", "af0d66c3-9b39-3d91-acd7-31a4e117f571",
     "current sstable tasks",
     "keyspace_name text PK,table_name text CK,task_id timeuuid CK,"
     "completion_ratio double,kind text,progress bigint,sstables int,"
     "target_directory text,total bigint,unit text"},
    {"system_views", "thread_pools", "ae33fd8e-8d5a-3736-9c04-31c62e86f089",
     "",
     "name text PK,active_tasks int,active_tasks_limit int,blocked_tasks bigint,"
     "blocked_tasks_all_time bigint,completed_tasks bigint,pending_tasks int"},
    {"system_views", "internode_outbound", "58b632fd-94ed-36fa-9fe4-181db238d413",
     "",
     "address inet PK,port int PK,dc text CK,rack text CK,active_connections bigint,"
     "connection_attempts bigint,error_bytes bigint,error_count bigint,"
     "expired_bytes bigint,expired_count bigint,overload_bytes bigint,"
     "overload_count bigint,pending_bytes bigint,pending_count bigint,sent_bytes bigint,"
     "sent_count bigint,successful_connection_attempts bigint,using_bytes bigint,"
     "using_reserve_bytes bigint"},
    {"system_views", "internode_inbound", "fe42678d-af5c-313e-bfe8-4a9e054df25f",
     "",
     "address inet PK,port int PK,dc text CK,rack text CK,corrupt_frames_recovered bigint,"
     "corrupt_frames_unrecovered bigint,error_bytes bigint,error_count bigint,"
     "expired_bytes bigint,expired_count bigint,processed_bytes bigint,"
     "processed_count bigint,received_bytes bigint,received_count bigint,"
     "scheduled_bytes bigint,scheduled_count bigint,throttled_count bigint,"
     "throttled_nanos bigint,using_bytes bigint,using_reserve_bytes bigint"},
    {"system_views", "pending_hints", "7b0c7a5c-45a3-33bb-99cd-5b11520e95ef",
     "Pending hints that this node has for other nodes",
     "host_id uuid PK,address inet,dc text,files int,newest timestamp,oldest timestamp,"
     "port int,rack text,status text"},
    {"system_views", "local_read_latency", "77903fc8-aa00-34cd-a5f6-0de80edd1955",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "local_scan_latency", "871478a6-dd43-3303-b868-b9e92d39444a",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "coordinator_read_latency", "86b6b059-d735-3549-a969-5a63557a061c",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "coordinator_scan_latency", "71d7cfe3-7986-3d35-aec2-29e70ee5ec6a",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "local_write_latency", "a3c79fba-d827-3f95-8461-ea31db5c321e",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "coordinator_write_latency", "08fe4d63-54c0-3b4d-8323-80f4cd10a764",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max_ms double,p50th_ms double,"
     "p99th_ms double,per_second double"},
    {"system_views", "tombstones_per_read", "232a8f1b-a759-32f8-810c-35f36e87f50c",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max double,p50th double,"
     "p99th double"},
    {"system_views", "rows_per_read", "a4d00f60-2eef-35e1-b6cf-958986ae7559",
     "",
     "keyspace_name text PK,table_name text PK,count bigint,max double,p50th double,"
     "p99th double"},
    {"system_views", "disk_usage", "8622af8c-9c2f-3604-bc8f-6df90fff8531",
     "",
     "keyspace_name text PK,table_name text PK,mebibytes bigint"},
    {"system_views", "max_partition_size", "de38f0c6-9a95-37fe-8376-24a396e1554a",
     "",
     "keyspace_name text PK,table_name text PK,mebibytes bigint"},
    {"system_views", "max_sstable_size", "b3a4a469-c91b-3120-99fd-9123f0dd3f55",
     "",
     "keyspace_name text PK,table_name text PK,mebibytes bigint"},
    {"system_views", "max_sstable_duration", "f2097f5e-b699-3534-99f5-7e5a30eaa8b5",
     "",
     "keyspace_name text PK,table_name text PK,max_sstable_duration bigint"},
    {"system_views", "credentials_cache_keys", "0ebf8d18-4035-38d6-8a2d-6518e5308cb1",
     "keys in the credentials cache",
     "role text PK"},
    {"system_views", "jmx_permissions_cache_keys", "6a0b1348-06e0-348e-a718-6ff7d48da1fe",
     "keys in the JMX permissions cache",
     "role text PK"},
    {"system_views", "network_permissions_cache_keys", "caa4f536-dad5-3e80-af4b-97e6840bbf4a",
     "keys in the network permissions cache",
     "role text PK"},
    {"system_views", "permissions_cache_keys", "f951c92c-5198-31f5-9e02-183b47d400b0",
     "keys in the permissions cache",
     "role text PK,resource text PK"},
    {"system_views", "roles_cache_keys", "98f349e9-0e71-3ab1-9c99-a0524ee6ecd8",
     "keys in the roles cache",
     "role text PK"},
    {"system_views", "cql_metrics", "6a8821b8-7dca-37ce-8970-a61ebb4e7ca5",
     "Metrics specific to CQL prepared statement caching",
     "name text PK,value double"},
    {"system_views", "batch_metrics", "310632c8-5cca-37bd-bf9f-9b73c4ffc4cb",
     "Metrics specific to batch statements",
     "name text PK,max bigint,p50th double,p999th double,p99th double"},
    {"system_views", "streaming", "d5f37e09-3f11-3f10-894a-59f6378b5d5a",
     "",
     "id timeuuid PK,bytes_received bigint,bytes_sent bigint,bytes_to_receive bigint,"
     "bytes_to_send bigint,duration_millis bigint,failure_cause text,"
     "files_received bigint,files_sent bigint,files_to_receive bigint,"
     "files_to_send bigint,follower boolean,last_updated_at timestamp,operation text,"
     "peers frozen<list<text>>,progress_percentage float,status text,"
     "status_failure_timestamp timestamp,status_init_timestamp timestamp,"
     "status_start_timestamp timestamp,status_success_timestamp timestamp,"
     "success_message text"},
    {"system_views", "gossip_info", "6c8d5ec9-2734-306e-968b-0f03da888309",
     "lists the gossip information for the cluster",
     "address inet PK,port int CK,dc text,dc_version int,disk_usage text,"
     "disk_usage_version int,generation int,heartbeat int,host_id text,"
     "host_id_version int,hostname text,index_status text,index_status_version int,"
     "internal_address_and_port text,internal_address_and_port_version int,"
     "internal_ip text,internal_ip_version int,load text,load_version int,"
     "native_address_and_port text,native_address_and_port_version int,net_version text,"
     "net_version_version int,rack text,rack_version int,release_version text,"
     "release_version_version int,removal_coordinator text,"
     "removal_coordinator_version int,rpc_address text,rpc_address_version int,"
     "rpc_ready text,rpc_ready_version int,schema text,schema_version int,severity text,"
     "severity_version int,sstable_versions text,sstable_versions_version int,status text,"
     "status_version int,status_with_port text,status_with_port_version int,"
     "tokens_version int,x1 text,x10 text,x10_version int,x1_version int,x2 text,"
     "x2_version int,x3 text,x3_version int,x4 text,x4_version int,x5 text,x5_version int,"
     "x6 text,x6_version int,x7 text,x7_version int,x8 text,x8_version int,x9 text,"
     "x9_version int,x_11_padding text,x_11_padding_version int"},
    {"system_views", "queries", "ca10cb3c-2140-3d3b-9d2c-7c723f0af0d2",
     "Lists currently running queries",
     "thread_id text PK,queued_micros bigint,running_micros bigint,task text"},
    {"system_views", "system_logs", "95df5040-98b5-3cdd-907f-17bd96651f58",
     "Cassandra logs",
     "timestamp timestamp PK,order_in_millisecond int CK,level text,logger text,"
     "message text"},
    {"system_views", "snapshots", "a9db71c6-05c7-3045-a6a0-f7d2bd112978",
     "available snapshots",
     "name text PK,keyspace_name text CK,table_name text CK,created_at timestamp,"
     "ephemeral boolean,expires_at timestamp,size_on_disk bigint,true_size bigint"},
    {"system_views", "repairs", "36459791-890b-3415-bd07-0df15e868e5a",
     "Repair summary",
     "id timeuuid PK,command_id int,completed boolean,duration_millis bigint,"
     "failure_cause text,keyspace_name text,last_updated_at timestamp,"
     "options_column_families frozen<set<text>>,options_data_centers frozen<set<text>>,"
     "options_force_repair boolean,options_hosts frozen<set<text>>,"
     "options_ignore_unreplicated_keyspaces boolean,options_incremental boolean,"
     "options_job_threads int,options_optimise_streams boolean,options_parallelism text,"
     "options_preview_kind text,options_primary_range boolean,options_pull_repair boolean,"
     "options_ranges frozen<set<text>>,options_subrange_repair boolean,"
     "options_trace boolean,participants frozen<list<text>>,"
     "ranges frozen<list<frozen<list<text>>>>,sessions frozen<set<timeuuid>>,"
     "state_failure_timestamp timestamp,state_init_timestamp timestamp,"
     "state_prepare_complete_timestamp timestamp,state_prepare_start_timestamp timestamp,"
     "state_repair_complete_timestamp timestamp,state_repair_start_timestamp timestamp,"
     "state_setup_timestamp timestamp,state_skipped_timestamp timestamp,"
     "state_start_timestamp timestamp,state_success_timestamp timestamp,status text,"
     "success_message text,table_names frozen<list<text>>,type text,"
     "unfiltered_ranges frozen<list<frozen<list<text>>>>"},
    {"system_views", "repair_sessions", "9a74b1b1-0369-346b-95e8-08409a1110b0",
     "Repair session",
     "id timeuuid PK,completed boolean,duration_millis bigint,failure_cause text,"
     "jobs frozen<set<uuid>>,keyspace_name text,last_updated_at timestamp,"
     "participants frozen<list<text>>,ranges frozen<list<text>>,repair_id timeuuid,"
     "state_failure_timestamp timestamp,state_init_timestamp timestamp,"
     "state_jobs_start_timestamp timestamp,state_skipped_timestamp timestamp,"
     "state_start_timestamp timestamp,state_success_timestamp timestamp,status text,"
     "success_message text,table_names frozen<list<text>>"},
    {"system_views", "repair_jobs", "d856b14c-70b6-3e1c-a29d-1ce7f2127b28",
     "Repair job",
     "id uuid PK,completed boolean,duration_millis bigint,failure_cause text,"
     "keyspace_name text,last_updated_at timestamp,participants frozen<list<text>>,"
     "ranges frozen<list<text>>,repair_id timeuuid,session_id timeuuid,"
     "state_failure_timestamp timestamp,state_init_timestamp timestamp,"
     "state_skipped_timestamp timestamp,state_snapshot_complete_timestamp timestamp,"
     "state_snapshot_start_timestamp timestamp,state_start_timestamp timestamp,"
     "state_stream_start_timestamp timestamp,state_success_timestamp timestamp,"
     "state_validation_complete_timestamp timestamp,"
     "state_validation_start_timestamp timestamp,status text,success_message text,"
     "table_name text"},
    {"system_views", "repair_participates", "ef04b8ba-fd4a-3fe4-bf83-6ccbfca289ac",
     "Repair participate summary",
     "id timeuuid PK,completed boolean,duration_millis bigint,failure_cause text,"
     "global boolean,incremental boolean,initiator text,last_updated_at timestamp,"
     "preview_kind text,ranges frozen<list<text>>,repaired_at timestamp,"
     "state_failure_timestamp timestamp,state_init_timestamp timestamp,"
     "state_skipped_timestamp timestamp,state_success_timestamp timestamp,"
     "success_message text,tables frozen<set<text>>,validations frozen<set<uuid>>"},
    {"system_views", "repair_validations", "f844505f-0cca-30ad-9426-b6cb6d634235",
     "Repair validation",
     "id uuid PK,bytes_read bigint,completed boolean,duration_millis bigint,"
     "estimated_partitions bigint,estimated_total_bytes bigint,failure_cause text,"
     "initiator text,keyspace_name text,last_updated_at timestamp,"
     "partitions_processed bigint,progress_percentage float,ranges frozen<list<text>>,"
     "repair_id timeuuid,session_id timeuuid,state_accept_timestamp timestamp,"
     "state_failure_timestamp timestamp,state_init_timestamp timestamp,"
     "state_sending_trees_timestamp timestamp,state_skipped_timestamp timestamp,"
     "state_start_timestamp timestamp,state_success_timestamp timestamp,status text,"
     "success_message text,table_name text"},
    {"system_views", "cidr_filtering_metrics_counts", "fe07f650-a9a3-3e3f-b482-687ec808f9bd",
     "Count metrics specific to CIDR filtering",
     "name text PK,value bigint"},
    {"system_views", "cidr_filtering_metrics_latencies", "9c046366-df5e-37fa-b4ed-6bcd0834dfd6",
     "Latency metrics specific to CIDR filtering",
     "name text PK,max double,p50th double,p95th double,p999th double,p99th double"},
    {"system_views", "sai_column_indexes", "18739376-df4d-3084-90a6-2f9ae6e74935",
     "Storage-attached column index metadata",
     "keyspace_name text PK,index_name text CK,analyzer text,column_name text,"
     "is_building boolean,is_queryable boolean,is_string boolean,table_name text"},
    {"system_views", "sai_sstable_index_segments", "cf6f23c6-332c-3260-b590-97b245538702",
     "SSTable index segment metadata",
     "keyspace_name text PK,index_name text CK,sstable_name text CK,"
     "segment_row_id_offset bigint CK,cell_count bigint,column_name text,"
     "component_metadata frozen<map<text,frozen<map<text,text>>>>,end_token text,"
     "max_sstable_row_id bigint,max_term text,min_sstable_row_id bigint,min_term text,"
     "start_token text,table_name text"},
    {"system_views", "sai_sstable_indexes", "286e51de-ce12-3747-9955-b9760774f82c",
     "SSTable index metadata",
     "keyspace_name text PK,index_name text CK,sstable_name text CK,cell_count bigint,"
     "column_name text,end_token text,format_version text,max_row_id bigint,"
     "min_row_id bigint,per_column_disk_size bigint,per_table_disk_size bigint,"
     "start_token text,table_name text"},
};
// clang-format on
enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };

// ---- Types -------------------------------------------------------------------------------------

static const struct type *resolve(struct arena *arena, const struct cql_type *type);

static const struct type *resolve_tuple(struct arena *arena, const struct cql_type *type)
{
    const struct type **elements =
        ARENA_NEW_ARRAY(arena, const struct type *, type->parameter_count);
    for (size_t i = 0; i < type->parameter_count; i++)
        elements[i] = resolve(arena, type->parameters[i]);
    return type_make_tuple(arena, elements, (uint16_t)type->parameter_count);
}

static const struct type *resolve(struct arena *arena, const struct cql_type *type)
{
    switch (type->kind) {
    case CQL_TYPE_NATIVE:
        return type_of_kind(type->native);
    case CQL_TYPE_LIST:
        return type_make_list(arena, resolve(arena, type->parameters[0]), type->frozen);
    case CQL_TYPE_SET:
        return type_make_set(arena, resolve(arena, type->parameters[0]), type->frozen);
    case CQL_TYPE_MAP:
        return type_make_map(arena, resolve(arena, type->parameters[0]),
                             resolve(arena, type->parameters[1]), type->frozen);
    case CQL_TYPE_TUPLE:
        return resolve_tuple(arena, type);
    default:
        ASSERT(false); // No table above has one.
        return NULL;
    }
}

// Most columns have the types of one word.
static const struct type *parse_type(struct arena *arena, struct slice text)
{
    struct cql_error error;
    const struct cql_type *type = NULL;
    bool is_parsed = cql_parse_type(text, arena, &type, &error);
    ASSERT(is_parsed);
    return resolve(arena, type);
}

// ---- Columns -----------------------------------------------------------------------------------

// The end of the column at `text`: a comma outside of "<…>", or the end.
static const char *column_end(const char *text)
{
    int depth = 0;
    for (; *text != 0 && (depth > 0 || *text != ','); text++)
        depth += (*text == '<') - (*text == '>');
    return text;
}

// Adds "name type", "name type PK" or "name type CK".
static void add_column(struct table_builder *builder, struct arena *arena, struct slice text)
{
    const uint8_t *space = memchr(text.data, ' ', text.size);
    ASSERT(space != NULL);
    struct slice name = slice_make(text.data, (size_t)(space - text.data));
    struct slice type = slice_make(space + 1, text.size - name.size - 1);
    enum column_kind kind = COLUMN_REGULAR;
    if (type.size > 3 && type.data[type.size - 1] == 'K') {
        kind = type.data[type.size - 2] == 'P' ? COLUMN_PARTITION_KEY : COLUMN_CLUSTERING;
        type.size -= 3;
    }
    table_builder_add_column(builder, name, parse_type(arena, type), kind, false);
}

// ---- Options -----------------------------------------------------------------------------------

#define TEXT(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define STRATEGY(name)                                                                             \
    {                                                                                              \
        TEXT("class"), TEXT("org.apache.cassandra.db.compaction." name)                            \
    }
#define THRESHOLDS(minimum)                                                                        \
    {TEXT("max_threshold"), TEXT("32")},                                                           \
    {                                                                                              \
        TEXT("min_threshold"), TEXT(minimum)                                                       \
    }
#define WINDOW                                                                                     \
    STRATEGY("TimeWindowCompactionStrategy"), {TEXT("compaction_window_size"), TEXT("1")},         \
        {TEXT("compaction_window_unit"), TEXT("DAYS")}, THRESHOLDS("4")

// clang-format off
static const struct option batches_compaction[] =
    {STRATEGY("SizeTieredCompactionStrategy"), THRESHOLDS("2")};
static const struct option paxos_compaction[] =
    {STRATEGY("LeveledCompactionStrategy"), THRESHOLDS("4")};
static const struct option window_compaction[] = {WINDOW};
// clang-format on

#define SET_COMPACTION(params, array)                                                              \
    ((params)->compaction = (struct options){(array), sizeof(array) / sizeof((array)[0])})

static bool is_table(const struct table_definition *table, const char *keyspace, const char *name)
{
    return strcmp(table->keyspace, keyspace) == 0 && strcmp(table->name, name) == 0;
}

static void set_params(struct table_params *params, const struct keyspace_definition *keyspace,
                       const struct table_definition *table)
{
    params->comment = slice_of_text(table->comment);
    params->gc_grace_seconds = keyspace->gc_grace_seconds;
    params->memtable_flush_period_in_ms = keyspace->memtable_flush_period_in_ms;
    if (is_table(table, "system", "batches")) SET_COMPACTION(params, batches_compaction);
    if (is_table(table, "system", "paxos")) SET_COMPACTION(params, paxos_compaction);
    if (is_table(table, "system", "compaction_history")) params->default_time_to_live = 604800;
    if (is_table(table, "system_distributed", "repair_history") ||
        is_table(table, "system_distributed", "parent_repair_history")) {
        SET_COMPACTION(params, window_compaction);
        params->default_time_to_live = 2592000;
    }
}

// ---- Making them -------------------------------------------------------------------------------

// What a node really keeps: system_tables_stored().
static bool is_stored(const struct table_definition *table)
{
    return strcmp(table->keyspace, "system_traces") == 0 ||
           is_table(table, "system", "prepared_statements");
}

static const struct table *make_table(struct arena *arena,
                                      const struct keyspace_definition *keyspace,
                                      const struct table_definition *definition)
{
    struct uuid id;
    enum status status = uuid_parse(slice_of_text(definition->id), &id);
    ASSERT(status == STATUS_OK);
    struct table_builder *builder = table_builder_create(slice_of_text(definition->keyspace),
                                                         slice_of_text(definition->name), id);
    table_builder_set_virtual(builder, !is_stored(definition));
    set_params(table_builder_params(builder), keyspace, definition);
    for (const char *text = definition->columns; *text != 0;) {
        const char *end = column_end(text);
        add_column(builder, arena, slice_make(text, (size_t)(end - text)));
        text = *end == ',' ? end + 1 : end;
    }
    return table_builder_finish(builder);
}

static const struct keyspace *make_keyspace(const struct keyspace_definition *definition)
{
    struct option items[2];
    struct options replication = {items, 0};
    char class[64] = "org.apache.cassandra.locator.";
    if (definition->strategy != NULL) {
        strncat(class, definition->strategy, sizeof class - strlen(class) - 1);
        items[replication.count++] = (struct option){slice_of_text("class"), slice_of_text(class)};
    }
    if (definition->replication_factor != NULL)
        items[replication.count++] = (struct option){slice_of_text("replication_factor"),
                                                     slice_of_text(definition->replication_factor)};
    return keyspace_make(slice_of_text(definition->name), &replication, true,
                         definition->strategy == NULL);
}

static const struct keyspace_definition *keyspace_of(const struct table_definition *table)
{
    for (size_t i = 0; i < KEYSPACE_COUNT; i++) {
        if (strcmp(keyspaces[i].name, table->keyspace) == 0) return &keyspaces[i];
    }
    ASSERT(false);
    return NULL;
}

struct schema *system_definitions_make(void)
{
    struct schema *schema = schema_create();
    for (size_t i = 0; i < KEYSPACE_COUNT; i++) {
        const struct keyspace *keyspace = make_keyspace(&keyspaces[i]);
        enum status status = schema_put_keyspace(schema, keyspace);
        ASSERT(status == STATUS_OK);
        keyspace_unref(keyspace);
    }
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        arena_reset(&arena);
        const struct table *table = make_table(&arena, keyspace_of(&tables[i]), &tables[i]);
        enum status status = schema_put_table(schema, table);
        ASSERT(status == STATUS_OK);
        table_unref(table);
    }
    arena_deinit(&arena);
    return schema;
}

bool system_definitions_has_keyspace(struct slice name)
{
    for (size_t i = 0; i < KEYSPACE_COUNT; i++) {
        if (slice_equals(name, slice_of_text(keyspaces[i].name))) return true;
    }
    return false;
}
