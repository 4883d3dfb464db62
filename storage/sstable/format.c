#include "storage/sstable/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[SSTABLE_COMPONENT_COUNT] = {
#define X(name, file) file,
    SSTABLE_COMPONENT_MAP(X)
#undef X
};

const char *sstable_component_name(enum sstable_component component)
{
    return names[component];
}

// ---- Names --------------------------------------------------------------------------------------

enum { ID_UUID_SIZE = 28, ID_GENERATION_SIZE_MAX = 10 };

static const char *const versions[] = {[SSTABLE_NB] = "nb", [SSTABLE_OA] = "oa"};
enum { VERSION_COUNT = sizeof versions / sizeof *versions };

struct sstable_name sstable_name_of(enum sstable_version version, uint64_t generation)
{
    struct sstable_name name = {.version = version};
    snprintf(name.id, sizeof name.id, "%" PRIu64, generation);
    return name;
}

uint64_t sstable_name_generation(const struct sstable_name *name)
{
    return strlen(name->id) <= ID_GENERATION_SIZE_MAX ? strtoull(name->id, NULL, 10) : 0;
}

bool sstable_name_equals(const struct sstable_name *a, const struct sstable_name *b)
{
    return a->version == b->version && strcmp(a->id, b->id) == 0;
}

void sstable_name_path(char path[static SSTABLE_PATH_SIZE], const char *directory,
                       const struct sstable_name *name, enum sstable_component component)
{
    snprintf(path, SSTABLE_PATH_SIZE, "%s/%s-%s-big-%s", directory, versions[name->version],
             name->id, names[component]);
}

// A generation, from 1, without zeros before it: then it has one name.
static bool is_generation(struct slice id)
{
    if (id.size == 0 || id.size > ID_GENERATION_SIZE_MAX || id.data[0] == '0') return false;
    uint64_t number = 0;
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < '0' || id.data[i] > '9') return false;
        number = 10 * number + (id.data[i] - '0');
    }
    return number <= INT32_MAX;
}

// Days, seconds, ticks and the rest of a time UUID, in base 36: xxxx_xxxx_xxxxxxxxxxxxxxxxxx.
static bool is_uuid(struct slice id)
{
    if (id.size != ID_UUID_SIZE) return false;
    for (size_t i = 0; i < id.size; i++) {
        uint8_t byte = id.data[i];
        bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z');
        if (i == 4 || i == 9 ? byte != '_' : !is_digit) return false;
    }
    return true;
}

// The part of a name up to the next dash, which is left out.
static struct slice take_part(const char **rest)
{
    size_t size = strcspn(*rest, "-");
    struct slice part = slice_make(*rest, size);
    *rest += size + ((*rest)[size] == '-');
    return part;
}

static bool find_component(const char *text, enum sstable_component *component)
{
    for (int i = 0; i < SSTABLE_COMPONENT_COUNT; i++) {
        if (strcmp(text, names[i]) != 0) continue;
        *component = (enum sstable_component)i;
        return true;
    }
    return false;
}

static bool is_version(struct slice text)
{
    return text.size == 2 && text.data[0] >= 'a' && text.data[0] <= 'z' && text.data[1] >= 'a' &&
           text.data[1] <= 'z';
}

enum status sstable_name_parse(const char *file, struct sstable_name *name,
                               enum sstable_component *component, struct error *error)
{
    const char *rest = file;
    struct slice version = take_part(&rest), id = take_part(&rest), format = take_part(&rest);
    bool is_big = slice_equals(format, slice_of_text("big"));
    if (!is_version(version) || (!is_generation(id) && !is_uuid(id)) ||
        (!is_big && !slice_equals(format, slice_of_text("bti"))))
        return STATUS_NOT_FOUND;
    // Another format has components that we do not know; by its Data.db it is told.
    if (!find_component(rest, component)) return STATUS_NOT_FOUND;
    for (int i = 0; i < VERSION_COUNT && is_big; i++) {
        if (!slice_equals(version, slice_of_text(versions[i]))) continue;
        *name = (struct sstable_name){.version = (enum sstable_version)i};
        memcpy(name->id, id.data, id.size);
        return STATUS_OK;
    }
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: SSTables of version %.*s (format %.*s) are not read, only those of "
                     "versions nb and oa of format big",
                     file, (int)version.size, (const char *)version.data, (int)format.size,
                     (const char *)format.data);
}

void sstable_path(char path[static SSTABLE_PATH_SIZE], const char *directory, uint64_t generation,
                  enum sstable_component component)
{
    struct sstable_name name = sstable_name_of(SSTABLE_NB, generation);
    sstable_name_path(path, directory, &name, component);
}

bool sstable_parse_name(const char *file, uint64_t *generation, enum sstable_component *component)
{
    struct sstable_name name;
    if (sstable_name_parse(file, &name, component, NULL) != STATUS_OK) return false;
    *generation = sstable_name_generation(&name);
    return name.version == SSTABLE_NB && *generation > 0;
}
