// A machine's disk: inodes, names, pages, each with what is seen and what is durable, and what a
// power loss makes of them. See env_sim.h for the rules and internal.h for the structs.
#include "base/assert.h"
#include "base/env_sim/internal.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t zero_page[SIM_PAGE_SIZE];

// ---- Inodes ------------------------------------------------------------------------------------

struct sim_inode *sim_inode_create(bool is_dir)
{
    struct sim_inode *inode = calloc(1, sizeof *inode);
    ASSERT(inode != NULL);
    inode->references = 1;
    inode->is_dir = is_dir;
    return inode;
}

void sim_inode_ref(struct sim_inode *inode)
{
    if (inode != NULL) inode->references++;
}

static void free_name(struct sim_machine *machine, struct sim_name *name)
{
    sim_inode_unref(machine, name->inode);
    sim_inode_unref(machine, name->durable);
    for (size_t i = 0; i < name->between_count; i++)
        sim_inode_unref(machine, name->between[i]);
    free(name->name);
}

void sim_inode_unref(struct sim_machine *machine, struct sim_inode *inode)
{
    if (inode == NULL) return;
    ASSERT(inode->references > 0);
    if (--inode->references > 0) return;
    for (size_t i = 0; i < inode->page_count; i++) {
        free(inode->pages[i].bytes);
        free(inode->pages[i].durable);
    }
    machine->used_pages -= inode->page_count;
    for (size_t i = 0; i < inode->name_count; i++)
        free_name(machine, &inode->names[i]);
    free(inode->pages);
    free(inode->changed);
    free(inode->names);
    free(inode);
}

// ---- Pages -------------------------------------------------------------------------------------

static void set_page_count(struct sim_machine *machine, struct sim_inode *inode, size_t count)
{
    if (count > inode->page_capacity) {
        size_t capacity = inode->page_capacity == 0 ? 8 : inode->page_capacity;
        while (capacity < count)
            capacity *= 2;
        inode->pages = realloc(inode->pages, capacity * sizeof inode->pages[0]);
        ASSERT(inode->pages != NULL);
        inode->page_capacity = capacity;
    }
    if (count > inode->page_count)
        memset(inode->pages + inode->page_count, 0,
               (count - inode->page_count) * sizeof inode->pages[0]);
    for (size_t i = count; i < inode->page_count; i++)
        free(inode->pages[i].bytes);
    machine->used_pages += count;
    machine->used_pages -= inode->page_count;
    inode->page_count = count;
}

static uint8_t *copy_page(const uint8_t *bytes)
{
    uint8_t *copy = malloc(SIM_PAGE_SIZE);
    ASSERT(copy != NULL);
    memcpy(copy, bytes == NULL ? zero_page : bytes, SIM_PAGE_SIZE);
    return copy;
}

// Before a page's bytes change: keeps the durable ones.
static void touch_page(struct sim_inode *inode, size_t index)
{
    struct sim_page *page = &inode->pages[index];
    page->is_dirty = true;
    if (page->is_changed) return;
    page->is_changed = true;
    page->durable = page->bytes == NULL ? NULL : copy_page(page->bytes);
    if (inode->changed_count == inode->changed_capacity) {
        inode->changed_capacity = inode->changed_capacity == 0 ? 8 : 2 * inode->changed_capacity;
        inode->changed =
            realloc(inode->changed, inode->changed_capacity * sizeof inode->changed[0]);
        ASSERT(inode->changed != NULL);
    }
    inode->changed[inode->changed_count++] = index;
}

static void write_page(struct sim_inode *inode, size_t index, size_t start, const uint8_t *bytes,
                       size_t size)
{
    struct sim_page *page = &inode->pages[index];
    // Zeros over zeros, as when a log's segment is laid out: nothing that a crash could show.
    if (page->bytes == NULL && !page->is_changed && memcmp(bytes, zero_page, size) == 0) return;
    touch_page(inode, index);
    if (page->bytes == NULL) page->bytes = copy_page(NULL);
    memcpy(page->bytes + start, bytes, size);
}

size_t sim_inode_read(const struct sim_inode *inode, uint64_t offset, void *bytes, size_t size)
{
    if (offset >= inode->size) return 0;
    if (size > inode->size - offset) size = (size_t)(inode->size - offset);
    uint8_t *to = bytes;
    for (size_t done = 0, part; done < size; done += part) {
        size_t index = (size_t)((offset + done) / SIM_PAGE_SIZE);
        size_t start = (size_t)((offset + done) % SIM_PAGE_SIZE);
        part = SIM_PAGE_SIZE - start < size - done ? SIM_PAGE_SIZE - start : size - done;
        const uint8_t *page = inode->pages[index].bytes;
        memcpy(to + done, (page == NULL ? zero_page : page) + start, part);
    }
    return size;
}

bool sim_inode_write(struct sim_machine *machine, struct sim_inode *inode, uint64_t offset,
                     const void *bytes, size_t size, bool is_full)
{
    uint64_t room = inode->page_count * (uint64_t)SIM_PAGE_SIZE;
    bool fits = !is_full || offset + size <= room;
    if (!fits) size = offset >= room ? 0 : (size_t)(room - offset);
    if (size == 0) return fits;
    size_t count = (size_t)((offset + size + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE);
    if (count > inode->page_count) set_page_count(machine, inode, count);
    const uint8_t *from = bytes;
    for (size_t done = 0, part; done < size; done += part) {
        size_t index = (size_t)((offset + done) / SIM_PAGE_SIZE);
        size_t start = (size_t)((offset + done) % SIM_PAGE_SIZE);
        part = SIM_PAGE_SIZE - start < size - done ? SIM_PAGE_SIZE - start : size - done;
        write_page(inode, index, start, from + done, part);
    }
    if (offset + size > inode->size) inode->size = offset + size;
    return fits;
}

void sim_inode_truncate(struct sim_machine *machine, struct sim_inode *inode, uint64_t size)
{
    size_t count = (size_t)((size + SIM_PAGE_SIZE - 1) / SIM_PAGE_SIZE);
    if (count > inode->page_count) set_page_count(machine, inode, count);
    // What is cut off reads as zeros if the file grows again, and may be durable still.
    for (size_t i = (size_t)(size / SIM_PAGE_SIZE); i < inode->page_count; i++) {
        size_t start = i == size / SIM_PAGE_SIZE ? (size_t)(size % SIM_PAGE_SIZE) : 0;
        if (inode->pages[i].bytes != NULL)
            write_page(inode, i, start, zero_page, SIM_PAGE_SIZE - start);
    }
    inode->size = size;
}

static void page_is_durable(struct sim_page *page)
{
    free(page->durable);
    page->durable = NULL;
    page->is_changed = page->is_dirty = false;
}

void sim_inode_sync(struct sim_machine *machine, struct sim_inode *inode, bool works)
{
    struct random *random = &machine->world->random;
    size_t kept = 0;
    for (size_t i = 0; i < inode->changed_count; i++) {
        struct sim_page *page = &inode->pages[inode->changed[i]];
        if (page->is_dirty && (works || random_chance(random, 0.3))) {
            page_is_durable(page);
        } else {
            page->is_dirty = false;
            inode->changed[kept++] = inode->changed[i];
        }
    }
    inode->changed_count = kept;
    if (works || random_chance(random, 0.5)) inode->durable_size = inode->size;
}

// ---- Names -------------------------------------------------------------------------------------

// The index of the first name of the directory that is not before `name`.
static size_t name_index(const struct sim_inode *directory, const char *name, size_t size,
                         bool *found)
{
    size_t low = 0, high = directory->name_count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strncmp(directory->names[middle].name, name, size);
        if (order == 0 && directory->names[middle].name[size] != '\0') order = 1;
        if (order == 0) *found = true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum status sim_disk_find(struct sim_machine *machine, const char *path,
                          struct sim_inode **directory, const char **name, struct sim_name **entry)
{
    struct sim_inode *at = machine->root;
    *entry = NULL;
    for (;;) {
        while (*path == '/')
            path++;
        size_t size = strcspn(path, "/");
        bool found;
        size_t index = name_index(at, path, size, &found);
        found = found && size > 0 && at->names[index].inode != NULL;
        const char *rest = path + size + strspn(path + size, "/");
        if (*rest == '\0') {
            *directory = at;
            *name = path;
            if (found) *entry = &at->names[index];
            return STATUS_OK;
        }
        if (!found || !at->names[index].inode->is_dir) return STATUS_NOT_FOUND;
        at = at->names[index].inode;
        path = rest;
    }
}

bool sim_inode_is_empty_dir(const struct sim_inode *inode)
{
    for (size_t i = 0; i < inode->name_count; i++)
        if (inode->names[i].inode != NULL) return false;
    return inode->is_dir;
}

static struct sim_name *insert_name(struct sim_inode *directory, size_t index, const char *name,
                                    size_t size)
{
    if (directory->name_count == directory->name_capacity) {
        directory->name_capacity = directory->name_capacity == 0 ? 8 : 2 * directory->name_capacity;
        directory->names =
            realloc(directory->names, directory->name_capacity * sizeof directory->names[0]);
        ASSERT(directory->names != NULL);
    }
    struct sim_name *inserted = &directory->names[index];
    memmove(inserted + 1, inserted, (directory->name_count - index) * sizeof *inserted);
    directory->name_count++;
    *inserted = (struct sim_name){.name = strndup(name, size)};
    ASSERT(inserted->name != NULL);
    return inserted;
}

void sim_disk_set_name(struct sim_machine *machine, struct sim_inode *directory, const char *name,
                       struct sim_inode *inode)
{
    bool found;
    size_t size = strcspn(name, "/");
    size_t index = name_index(directory, name, size, &found);
    struct sim_name *entry =
        found ? &directory->names[index] : insert_name(directory, index, name, size);
    struct sim_inode *old = entry->inode;
    if (entry->is_changed && entry->between_count < SIM_NAME_VERSIONS_MAX)
        entry->between[entry->between_count++] = old;
    else
        sim_inode_unref(machine, old);
    entry->is_changed = true;
    entry->inode = inode;
    sim_inode_ref(inode);
}

static void name_is_durable(struct sim_machine *machine, struct sim_name *name)
{
    for (size_t i = 0; i < name->between_count; i++)
        sim_inode_unref(machine, name->between[i]);
    name->between_count = 0;
    sim_inode_ref(name->inode);
    sim_inode_unref(machine, name->durable);
    name->durable = name->inode;
    name->is_changed = false;
}

// Takes out what refers to nothing any more.
static void pack_names(struct sim_inode *directory)
{
    size_t kept = 0;
    for (size_t i = 0; i < directory->name_count; i++) {
        struct sim_name *name = &directory->names[i];
        if (name->inode == NULL && !name->is_changed)
            free(name->name);
        else
            directory->names[kept++] = *name;
    }
    directory->name_count = kept;
}

void sim_inode_sync_names(struct sim_machine *machine, struct sim_inode *directory)
{
    for (size_t i = 0; i < directory->name_count; i++)
        if (directory->names[i].is_changed) name_is_durable(machine, &directory->names[i]);
    pack_names(directory);
}

// ---- Power loss --------------------------------------------------------------------------------

// What the disk has of a changed page: its old bytes, its new ones, or sectors of both. True if the
// new ones are not whole.
static bool lose_page(struct sim_world *world, struct sim_page *page)
{
    struct random *random = &world->random;
    // Of a page that a failed sync gave up, the new bytes rarely got through.
    bool is_lost =
        page->is_dirty ? sim_world_strikes(world, SIM_FAULT_LOST_PAGE) : random_chance(random, 0.8);
    if (is_lost) {
        free(page->bytes);
        page->bytes = page->durable;
        page->durable = NULL;
    } else if (sim_world_strikes(world, SIM_FAULT_TORN_PAGE)) {
        if (page->bytes == NULL) page->bytes = copy_page(NULL);
        uint64_t sectors = random_u64(random);
        for (size_t i = 0; i < SIM_PAGE_SIZE / SIM_SECTOR_SIZE; i++) {
            if ((sectors >> i & 1) == 0) continue;
            const uint8_t *old = page->durable == NULL ? zero_page : page->durable;
            memcpy(page->bytes + i * SIM_SECTOR_SIZE, old + i * SIM_SECTOR_SIZE, SIM_SECTOR_SIZE);
        }
        is_lost = true;
    }
    page_is_durable(page);
    return is_lost;
}

static void lose_file(struct sim_machine *machine, struct sim_inode *file)
{
    struct sim_world *world = machine->world;
    bool lost_behind = false; // Of what lay behind the durable size.
    for (size_t i = 0; i < file->changed_count; i++) {
        size_t index = file->changed[i];
        if (lose_page(world, &file->pages[index]) &&
            (index + 1) * (uint64_t)SIM_PAGE_SIZE > file->durable_size)
            lost_behind = true;
    }
    file->changed_count = 0;
    uint64_t size = file->size;
    if (size > file->durable_size) {
        // The size may have got there, with the data or before it, or not, or partly.
        if (!lost_behind) {
            if (random_chance(&world->random, 0.5))
                size = sim_world_between(world, file->durable_size, size);
        } else if (sim_world_strikes(world, SIM_FAULT_SIZE_BEFORE_DATA)) {
            size = file->size;
        } else {
            size = sim_world_between(world, file->durable_size, size);
        }
    } else if (size < file->durable_size && random_chance(&world->random, 0.5)) {
        size = file->durable_size;
    }
    sim_inode_truncate(machine, file, size);
    // The cut itself is on the disk.
    sim_inode_sync(machine, file, true);
}

static void lose_name(struct sim_machine *machine, struct sim_name *name)
{
    struct sim_world *world = machine->world;
    if (name->is_changed && sim_world_strikes(world, SIM_FAULT_LOST_NAME)) {
        size_t choice = (size_t)random_below(&world->random, name->between_count + 1);
        struct sim_inode *kept = choice == 0 ? name->durable : name->between[choice - 1];
        sim_inode_ref(kept);
        sim_inode_unref(machine, name->inode);
        name->inode = kept;
    }
    name_is_durable(machine, name);
}

static void lose_directory(struct sim_machine *machine, struct sim_inode *directory)
{
    for (size_t i = 0; i < directory->name_count; i++)
        lose_name(machine, &directory->names[i]);
    pack_names(directory);
    for (size_t i = 0; i < directory->name_count; i++) {
        struct sim_inode *inode = directory->names[i].inode;
        if (inode->is_dir)
            lose_directory(machine, inode);
        else
            lose_file(machine, inode);
    }
}

void sim_disk_lose_power(struct sim_machine *machine)
{
    sim_world_event(machine->world, "power is lost", machine->name, machine->used_pages, 0);
    machine->full_until_ns = 0;
    lose_directory(machine, machine->root);
}

static void sync_directory(struct sim_machine *machine, struct sim_inode *directory)
{
    sim_inode_sync_names(machine, directory);
    for (size_t i = 0; i < directory->name_count; i++) {
        struct sim_inode *inode = directory->names[i].inode;
        if (inode->is_dir)
            sync_directory(machine, inode);
        else
            sim_inode_sync(machine, inode, true);
    }
}

void sim_disk_sync_all(struct sim_machine *machine)
{
    sync_directory(machine, machine->root);
}

void sim_disk_free(struct sim_machine *machine)
{
    sim_inode_unref(machine, machine->root);
}
