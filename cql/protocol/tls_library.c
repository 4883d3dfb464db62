#include "cql/protocol/tls_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

static const char library_name[] = "libssl.so.3";

// libssl's handle finds libcrypto's names too. A pointer to a function is copied: the standard
// converts none from a pointer to data.
static bool find(void *handle, const char *name, void *function)
{
    void *found = dlsym(handle, name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

enum status tls_library_open(struct tls_library *library, struct error *error)
{
    *library = (struct tls_library){0};
    library->handle = dlopen(library_name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library->handle == NULL)
        return error_set(error, STATUS_UNSUPPORTED,
                         "TLS needs OpenSSL 3, and %s can not be loaded: install it (Debian: "
                         "libssl3)",
                         library_name);
    const char *missing = NULL;
#define X(name)                                                                                    \
    if (!find(library->handle, #name, &library->name)) missing = #name;
    TLS_LIBRARY_MAP(X)
#undef X
    if (missing == NULL) return STATUS_OK;
    tls_library_close(library);
    return error_set(error, STATUS_UNSUPPORTED, "TLS needs OpenSSL 3: %s has no %s", library_name,
                     missing);
}

void tls_library_close(struct tls_library *library)
{
    if (library->handle != NULL) (void)dlclose(library->handle);
    library->handle = NULL;
}

const char *tls_library_reason(const struct tls_library *library)
{
    const char *reason = library->ERR_reason_error_string(library->ERR_peek_error());
    library->ERR_clear_error();
    return reason == NULL ? "no reason is known" : reason;
}
