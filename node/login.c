#include "node/login.h"

#include "storage/whole_file.h"

#include <string.h>

enum { PASSWORD_FILE_SIZE_MAX = 4096 };

static enum status read_password(struct env *env, const char *path, struct login *login,
                                 struct error *error)
{
    struct buffer text;
    buffer_init(&text, PASSWORD_FILE_SIZE_MAX);
    enum status status = whole_file_read(env, path, &text, error);
    size_t size = 0;
    while (size < text.size && text.data[size] != '\n' && text.data[size] != '\r')
        size++;
    if (status == STATUS_OK &&
        (size == 0 || size >= sizeof login->password || memchr(text.data, '\0', size) != NULL))
        status = error_set(error, STATUS_INVALID, "%.400s: its first line is no password", path);
    if (status == STATUS_OK) {
        memcpy(login->password, text.data, size);
        login->password[size] = '\0';
    }
    buffer_deinit(&text);
    return status;
}

enum status login_read(struct env *env, const char *user, const char *password_file,
                       struct login *login, struct error *error)
{
    if ((user == NULL) != (password_file == NULL))
        return error_set(error, STATUS_INVALID,
                         "--user and --password-file go together: who logs in, and a file whose "
                         "first line is the password");
    login->user = user;
    return user == NULL ? STATUS_OK : read_password(env, password_file, login, error);
}
