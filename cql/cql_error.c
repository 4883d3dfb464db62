#include "cql/cql_error.h"

#include <stdarg.h>
#include <stdio.h>

// A text that was cut must not end inside a character: clients decode it as UTF-8.
static void cql_error_cut_at_character(char *text, size_t size)
{
    size_t end = size;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80)
        end--;
    if (end > 0 && (unsigned char)text[end - 1] >= 0xC0) end--;
    text[end] = '\0';
}

static void cql_error_print(struct cql_error *error, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void cql_error_print(struct cql_error *error, const char *format, va_list arguments)
{
    int length = vsnprintf(error->text, sizeof error->text, format, arguments);
    if (length < 0) error->text[0] = '\0';
    if (length >= (int)sizeof error->text)
        cql_error_cut_at_character(error->text, sizeof error->text - 1);
}

bool cql_error_set(struct cql_error *error, enum cql_error_code code, const char *format, ...)
{
    error->code = code;
    error->keyspace[0] = '\0';
    error->table[0] = '\0';
    error->argument_count = 0;
    va_list arguments;
    va_start(arguments, format);
    cql_error_print(error, format, arguments);
    va_end(arguments);
    return false;
}

bool cql_error_set_text(struct cql_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    cql_error_print(error, format, arguments);
    va_end(arguments);
    return false;
}

void cql_error_set_from_result(struct cql_error *error, const struct coordinator_result *result,
                               bool is_write, const char *write_type)
{
    const char *level = consistency_text(result->consistency);
    switch (result->outcome) {
    case COORDINATOR_OK:
    case COORDINATOR_UNAVAILABLE:
        cql_error_set(error, CQL_ERROR_UNAVAILABLE, "Cannot achieve consistency level %s", level);
        break;
    case COORDINATOR_TIMED_OUT:
        cql_error_set(error, is_write ? CQL_ERROR_WRITE_TIMEOUT : CQL_ERROR_READ_TIMEOUT,
                      "Operation timed out - received only %d responses.", result->received);
        break;
    case COORDINATOR_FAILED:
        cql_error_set(error, is_write ? CQL_ERROR_WRITE_FAILURE : CQL_ERROR_READ_FAILURE,
                      "Operation failed - received %d responses and %d failures", result->received,
                      result->failures);
        break;
    case COORDINATOR_OVERLOADED:
        cql_error_set(error, CQL_ERROR_OVERLOADED,
                      "Too many writes wait for the disk, try again later");
        break;
    }
    error->result = *result;
    error->write_type = write_type;
    error->data_present = !is_write && result->data_present;
    memset(error->fault_addresses, 0, sizeof error->fault_addresses);
}

// RequestFailureReason.
static const char *cql_error_reason_text(uint8_t reason)
{
    static const char *const texts[] = {"UNKNOWN",
                                        "READ_TOO_MANY_TOMBSTONES",
                                        "TIMEOUT",
                                        "INCOMPATIBLE_SCHEMA",
                                        "READ_SIZE",
                                        "NODE_DOWN",
                                        "INDEX_NOT_AVAILABLE",
                                        "READ_TOO_MANY_INDEXES"};
    return reason < sizeof texts / sizeof texts[0] ? texts[reason] : texts[0];
}

// "…: UNKNOWN from /127.0.0.2:7000, …". Java may know a name for the address, before the slash.
static void cql_error_tell_faults(struct cql_error *error)
{
    size_t size = strlen(error->text);
    for (uint8_t i = 0; i < error->result.fault_count && size < sizeof error->text; i++) {
        char text[ENV_ADDRESS_TEXT_SIZE];
        env_address_format(&error->fault_addresses[i], text);
        int length = snprintf(error->text + size, sizeof error->text - size, "%s%s from /%s",
                              i == 0 ? ": " : ", ",
                              cql_error_reason_text(error->result.faults[i].reason), text);
        if (length < 0) break;
        size += (size_t)length;
    }
}

void cql_error_set_fault_addresses(struct cql_error *error, const struct topology *topology,
                                   const struct env_address *own)
{
    for (uint8_t i = 0; i < error->result.fault_count; i++) {
        uint16_t member = error->result.faults[i].member;
        if (topology != NULL && member < topology->member_count)
            error->fault_addresses[i] = topology->members[member].address;
        else
            error->fault_addresses[i] = *own;
    }
    if (error->code == CQL_ERROR_READ_FAILURE || error->code == CQL_ERROR_WRITE_FAILURE)
        cql_error_tell_faults(error);
}
