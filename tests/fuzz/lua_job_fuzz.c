// A job's script, and a few lines through what it built. Bounded in memory as always, and in
// instructions by fuzz_lua.h.
#include "stream/lua/lua_job.h"
#include "tests/fuzz/support/fuzz_lua.h"
#include "tests/fuzz/support/fuzz_node.h"
#include "tests/fuzz/targets.h"

// As the ring's schema says: every output goes to ks.counters, or the job does not run.
static enum status bind_outputs(struct dstream_context *context, struct error *error)
{
    const struct table *table = fuzz_node_table(1);
    for (size_t i = 0; i < context->output_count; i++) {
        struct output *output = context->outputs[i];
        struct slice names[OUTPUT_COLUMNS_MAX];
        for (size_t k = 0; k < output->column_count; k++)
            names[k] = slice_of_text(output->names[k]);
        struct output_column columns[OUTPUT_COLUMNS_MAX];
        enum status status = output_roles(table, names, output->column_count, columns, error);
        if (status != STATUS_OK) return status;
        output_bind(output, columns);
    }
    return STATUS_OK;
}

static void take_part(void *context, struct output *output, struct slice cells)
{
    (void)output;
    *(size_t *)context += cells.size;
}

FUZZ_TARGET(lua_job)
{
    static const char *const arguments[] = {"lines.jsonl"};
    const struct lua_job_options options = {.name = "fuzz.lua",
                                            .script = input,
                                            .arguments = arguments,
                                            .argument_count = 1,
                                            .memory_max = 8 * (size_t)MIB};
    struct lua_job *job = lua_job_create(&options);
    fuzz_lua_begin(200 * 1000);
    struct error error;
    if (lua_job_start(job, &error) == STATUS_OK && lua_job_context(job) != NULL) {
        static const char lines[] =
            "{\"text\": \"a #B #b \\u00e9\", \"created_at\": \"2012-01-01T10:37:26Z\", \"n\": 5}\n"
            "{\"text\": null}\nno json\n{\"created_at\": \"Sat Aug 23 22:13:00 +0000 2008\"}\n";
        struct dstream_context *context = lua_job_context(job);
        lua_job_begin(job, 1, 1600000000000000);
        dstream_begin(context, 1, 1600000000000000);
        enum status status = bind_outputs(context, &error);
        for (size_t i = 0; i < context->source_count && status == STATUS_OK; i++)
            status = dstream_process(context, i, slice_of_text(lines));
        if (status == STATUS_OK) status = dstream_finish(context);
        size_t size = 0;
        for (size_t i = 0; i < context->output_count && status == STATUS_OK; i++)
            output_take_parts(context->outputs[i], 100, take_part, &size);
        (void)!lua_job_finish(job, &error);
    }
    lua_job_destroy(job);
}
