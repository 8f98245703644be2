/* A module of the name service switch that hangs, fails and tells odd things, by the name asked. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

static int begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* Hangs until the test says so. */
static void hang(void)
{
	while (access("/run/release", F_OK))
		usleep(1000);
}

enum nss_status _nss_testing_getpwnam_r(const char *name, struct passwd *user, char *buffer, size_t length, int *error)
{
	if (begins(name, "hang"))
		hang();
	else if (begins(name, "again")) {
		*error = EAGAIN;
		return NSS_STATUS_TRYAGAIN;
	} else if (begins(name, "broken")) {
		*error = EIO;
		return NSS_STATUS_UNAVAIL;
	} else if (begins(name, "greedy")) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	} else if (!begins(name, "odd"))
		return NSS_STATUS_NOTFOUND;
	if (length < 64) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	strcpy(buffer, "odd");
	/* Strings that stand elsewhere, and one that is empty. */
	*user = (struct passwd){ .pw_name = buffer, .pw_passwd = "", .pw_uid = 4000000000u, .pw_gid = 77,
		.pw_gecos = "\xff:,", .pw_dir = "/", .pw_shell = "" };
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_testing_gethostbyname4_r(const char *name, struct gaih_addrtuple **tuple, char *buffer,
	size_t length, int *error, int *h_error, int32_t *ttl)
{
	if (begins(name, "hang"))
		hang();
	else if (begins(name, "again")) {
		*error = EAGAIN;
		*h_error = TRY_AGAIN;
		return NSS_STATUS_TRYAGAIN;
	} else if (!begins(name, "scoped")) {
		*error = ENOENT;
		*h_error = HOST_NOT_FOUND;
		return NSS_STATUS_NOTFOUND;
	}
	struct gaih_addrtuple *found = *tuple ? *tuple : (void *)buffer;
	char *end = *tuple ? buffer : buffer + sizeof *found;
	strcpy(end, name);
	*found = (struct gaih_addrtuple){ .name = end, .family = AF_INET6, .scopeid = 1 };
	inet_pton(AF_INET6, "fe80::77", found->addr);
	*tuple = found;
	*h_error = NETDB_SUCCESS;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_testing_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer,
	size_t length, int *error, int *h_error)
{
	if (begins(name, "hang"))
		hang();
	*error = ENOENT;
	*h_error = HOST_NOT_FOUND;
	if (begins(name, "again")) {
		*error = EAGAIN;
		*h_error = TRY_AGAIN;
		return NSS_STATUS_TRYAGAIN;
	}
	if (begins(name, "fatal")) {
		*h_error = NO_RECOVERY;
		return NSS_STATUS_UNAVAIL;
	}
	return NSS_STATUS_NOTFOUND;
}
