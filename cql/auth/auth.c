#include "cql/auth/auth.h"

#include "base/assert.h"
#include "base/container_of.h"
#include "base/limits.h"
#include "ring/metadata/metadata.h"

#include <crypt.h>
#include <stdlib.h>

// As Cassandra's default: 2^10 rounds.
enum { HASH_ROUNDS = 10 };
#define HASH_PREFIX "$2a$"
// Of no password that anybody was told. Who is not there is compared with it.
#define HASH_OF_NOBODY "$2a$10$Helenus/nobody.knows.uOJ5zYc3mT0bQ1vWgk2l4h6n8p0r2t4Z"

// ---- Hashes -------------------------------------------------------------------------------------

// On a thread of the lane, with nothing but what the job has.
static void work(struct env_job *job)
{
    struct auth_password *password = CONTAINER_OF(job, struct auth_password, job);
    struct crypt_data *data = calloc(1, sizeof *data);
    ASSERT(data != NULL);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    const char *made = NULL;
    if (password->has_hash)
        made = crypt_rn(password->text, password->hash, data, sizeof *data);
    else if (crypt_gensalt_rn(HASH_PREFIX, HASH_ROUNDS, (const char *)password->salt,
                              sizeof password->salt, setting, sizeof setting) != NULL)
        made = crypt_rn(password->text, setting, data, sizeof *data);
    bool is_whole = made != NULL && strlen(made) == ROLE_HASH_SIZE;
    if (password->has_hash) {
        // All bytes are looked at, whichever differs.
        unsigned difference = is_whole ? 0 : 1;
        for (size_t i = 0; is_whole && i < ROLE_HASH_SIZE; i++)
            difference |= (unsigned char)(made[i] ^ password->hash[i]);
        password->is_right = difference == 0;
    } else if (is_whole) {
        memcpy(password->hash, made, ROLE_HASH_SIZE + 1);
    }
    explicit_bzero(password->text, sizeof password->text);
    explicit_bzero(data, sizeof *data);
    free(data);
}

static void work_is_done(struct env_job *job)
{
    struct auth_password *password = CONTAINER_OF(job, struct auth_password, job);
    password->auth->waiting--;
    password->done(password);
}

static bool begin(struct auth *auth, struct auth_password *password, struct slice text,
                  void (*done)(struct auth_password *password))
{
    if (auth->waiting >= AUTH_PASSWORDS_WAITING_MAX) return false;
    auth->waiting++;
    password->done = done;
    password->auth = auth;
    password->is_right = false;
    size_t size = text.size < AUTH_PASSWORD_SIZE_MAX ? text.size : AUTH_PASSWORD_SIZE_MAX;
    memset(password->text, 0, sizeof password->text);
    if (size > 0) memcpy(password->text, text.data, size);
    env_offload(auth->env, &password->job, ENV_LANE_PASSWORD, work, work_is_done);
    return true;
}

bool auth_check_password(struct auth *auth, struct auth_password *password, struct slice text,
                         const char *hash, void (*done)(struct auth_password *password))
{
    password->has_hash = true;
    memset(password->hash, 0, sizeof password->hash);
    memcpy(password->hash, hash, strnlen(hash, ROLE_HASH_SIZE));
    return begin(auth, password, text, done);
}

bool auth_hash_password(struct auth *auth, struct auth_password *password, struct slice text,
                        void (*done)(struct auth_password *password))
{
    password->has_hash = false;
    memset(password->hash, 0, sizeof password->hash);
    env_random_bytes(auth->env, password->salt, sizeof password->salt);
    return begin(auth, password, text, done);
}

static bool is_digit_of_hash(uint8_t c)
{
    return (c >= '.' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool auth_is_hash(struct slice text)
{
    static const char prefix[] = HASH_PREFIX;
    enum { PREFIX_SIZE = sizeof prefix - 1, SALT_AT = 7 };
    if (text.size != ROLE_HASH_SIZE || memcmp(text.data, prefix, PREFIX_SIZE) != 0) return false;
    const uint8_t *rounds = text.data + PREFIX_SIZE;
    bool has_rounds = rounds[0] >= '0' && rounds[0] <= '3' && rounds[1] >= '0' &&
                      rounds[1] <= '9' && rounds[2] == '$';
    int count = has_rounds ? (rounds[0] - '0') * 10 + rounds[1] - '0' : 0;
    if (count < 4 || count > AUTH_HASH_ROUNDS_MAX) return false;
    for (size_t i = SALT_AT; i < text.size; i++)
        if (!is_digit_of_hash(text.data[i])) return false;
    return true;
}

// ---- Logins -------------------------------------------------------------------------------------

// From its end: password, NUL, user, and a NUL with whom it acts for, which is not looked at.
bool auth_read_plain(struct slice token, struct slice *user, struct slice *password,
                     struct cql_error *error)
{
    *user = *password = slice_null();
    size_t end = token.size;
    for (size_t i = token.size; i-- > 0;) {
        if (token.data[i] != 0) continue;
        struct slice part = slice_make(token.data + i + 1, end - i - 1);
        end = i;
        if (slice_is_null(*password))
            *password = part;
        else if (slice_is_null(*user))
            *user = part;
        else
            return cql_error_set(error, CQL_ERROR_BAD_CREDENTIALS,
                                 "Credential format error: username or password is empty or "
                                 "contains NUL(\\0) character");
    }
    if (password->size == 0)
        return cql_error_set(error, CQL_ERROR_BAD_CREDENTIALS, "Password must not be null");
    if (user->size == 0)
        return cql_error_set(error, CQL_ERROR_BAD_CREDENTIALS,
                             "Authentication ID must not be null");
    return true;
}

const char *auth_hash_of(const struct auth *auth, struct slice user)
{
    const struct role *role = roles_find(metadata_roles(auth->metadata), user);
    return role == NULL || role->hash[0] == '\0' ? HASH_OF_NOBODY : role->hash;
}

bool auth_login_is_right(const struct auth *auth, struct slice user, bool password_is_right,
                         struct cql_error *error)
{
    // As it is now: it may have been dropped while the hash was computed.
    const struct role *role = roles_find(metadata_roles(auth->metadata), user);
    if (!password_is_right || role == NULL || role->hash[0] == '\0')
        return cql_error_set(error, CQL_ERROR_BAD_CREDENTIALS,
                             "Provided username %.*s and/or password are incorrect", (int)user.size,
                             (const char *)user.data);
    if (role->can_login) return true;
    return cql_error_set(error, CQL_ERROR_BAD_CREDENTIALS, "%.*s is not permitted to log in",
                         (int)user.size, (const char *)user.data);
}
