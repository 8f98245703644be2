/* Calls one look-up of the C library for each line of stdin and prints all of its answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char buffer[8 << 20];

static void user(int error, struct passwd *u)
{
	if (u)
		printf("%s:%s:%u:%u:%s:%s:%s\n", u->pw_name, u->pw_passwd, u->pw_uid, u->pw_gid, u->pw_gecos, u->pw_dir, u->pw_shell);
	else
		printf("no user, %s\n", strerror(error));
}

static void group(int error, struct group *g)
{
	if (!g) {
		printf("no group, %s\n", strerror(error));
		return;
	}
	printf("%s:%s:%u:", g->gr_name, g->gr_passwd, g->gr_gid);
	for (char **m = g->gr_mem; *m; m++)
		printf("%s,", *m);
	printf("\n");
}

static void host(struct hostent *h)
{
	char text[INET6_ADDRSTRLEN];
	if (!h) {
		printf("no host, h_errno %d\n", h_errno);
		return;
	}
	printf("%s family %d length %d", h->h_name, h->h_addrtype, h->h_length);
	for (char **a = h->h_aliases; *a; a++)
		printf(" alias %s", *a);
	for (char **a = h->h_addr_list; *a; a++)
		printf(" %s", inet_ntop(h->h_addrtype, *a, text, sizeof text));
	printf("\n");
}

static void addresses(const char *name, int family, int flags)
{
	struct addrinfo hints = { .ai_family = family, .ai_flags = flags, .ai_socktype = SOCK_STREAM }, *list;
	int error = getaddrinfo(name, NULL, &hints, &list);
	if (error) {
		printf("no address, %s\n", gai_strerror(error));
		return;
	}
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN];
		if (a->ai_family == AF_INET6) {
			struct sockaddr_in6 *s = (void *)a->ai_addr;
			printf("%s scope %u ", inet_ntop(AF_INET6, &s->sin6_addr, text, sizeof text), s->sin6_scope_id);
		} else {
			struct sockaddr_in *s = (void *)a->ai_addr;
			printf("%s ", inet_ntop(AF_INET, &s->sin_addr, text, sizeof text));
		}
		if (a->ai_canonname)
			printf("canonical %s ", a->ai_canonname);
	}
	printf("\n");
	freeaddrinfo(list);
}

static void service(struct servent *s)
{
	if (!s) {
		printf("no service\n");
		return;
	}
	printf("%s %d/%s", s->s_name, ntohs(s->s_port), s->s_proto);
	for (char **a = s->s_aliases; *a; a++)
		printf(" alias %s", *a);
	printf("\n");
}

static int by_number(const void *a, const void *b)
{
	const gid_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void groups(const char *name)
{
	static gid_t list[65536];
	int count = 65536;
	if (getgrouplist(name, 77, list, &count) < 0)
		printf("too many ");
	/* The protocol does not keep the place of the caller's own group. */
	qsort(list, count, sizeof *list, by_number);
	for (int i = 0; i < count; i++)
		printf("%u ", list[i]);
	printf("\n");
}

static void netgroup(const char *name)
{
	char *host, *user, *domain;
	printf("%d", setnetgrent(name));
	while (getnetgrent(&host, &user, &domain))
		printf(" (%s,%s,%s)", host ?: "any", user ?: "any", domain ?: "any");
	endnetgrent();
	printf("\n");
}

/* Sends a request of the protocol and prints how many bytes come back. */
static void raw(int kind)
{
	struct sockaddr_un address = { AF_UNIX, "/run/nscd/socket" };
	struct { int version, kind, length; char key[8]; } request = { 2, kind, 7, "passwd" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (void *)&address, sizeof address) || send(fd, &request, 12 + 7, 0) != 12 + 7)
		abort();
	printf("%zd bytes\n", recv(fd, buffer, sizeof buffer, 0));
	close(fd);
}

static char *any(char *word)
{
	return word && strcmp(word, "-") ? word : NULL;
}

static void ask(const char *what, char *name, char *second)
{
	struct passwd u, *found_user = NULL;
	struct group g, *found_group = NULL;
	struct in6_addr address;
	int error;
	if (!strcmp(what, "user")) {
		error = getpwnam_r(name, &u, buffer, sizeof buffer, &found_user);
		user(error, found_user);
	} else if (!strcmp(what, "uid")) {
		error = getpwuid_r(strtoul(name, NULL, 10), &u, buffer, sizeof buffer, &found_user);
		user(error, found_user);
	} else if (!strcmp(what, "group")) {
		error = getgrnam_r(name, &g, buffer, sizeof buffer, &found_group);
		group(error, found_group);
	} else if (!strcmp(what, "gid")) {
		error = getgrgid_r(strtoul(name, NULL, 10), &g, buffer, sizeof buffer, &found_group);
		group(error, found_group);
	} else if (!strcmp(what, "groups"))
		groups(name);
	else if (!strcmp(what, "host4"))
		host(gethostbyname2(name, AF_INET));
	else if (!strcmp(what, "host6"))
		host(gethostbyname2(name, AF_INET6));
	else if (!strcmp(what, "address4")) {
		inet_pton(AF_INET, name, &address);
		host(gethostbyaddr(&address, 4, AF_INET));
	} else if (!strcmp(what, "address6")) {
		inet_pton(AF_INET6, name, &address);
		host(gethostbyaddr(&address, 16, AF_INET6));
	} else if (!strcmp(what, "addresses"))
		addresses(name, AF_UNSPEC, AI_CANONNAME);
	else if (!strcmp(what, "addresses4"))
		addresses(name, AF_INET, 0);
	else if (!strcmp(what, "addresses6"))
		addresses(name, AF_INET6, 0);
	else if (!strcmp(what, "service"))
		service(getservbyname(name, any(second)));
	else if (!strcmp(what, "port"))
		service(getservbyport(htons(atoi(name)), any(second)));
	else if (!strcmp(what, "netgroup"))
		netgroup(name);
	else if (!strcmp(what, "innetgr")) {
		char *third = strtok(NULL, " \n"), *fourth = strtok(NULL, " \n");
		printf("%d\n", innetgr(name, any(second), any(third), any(fourth)));
	} else if (!strcmp(what, "raw"))
		raw(atoi(name));
	else
		abort();
}

int main(void)
{
	char line[4096], copy[4096];
	while (fgets(line, sizeof line, stdin)) {
		strcpy(copy, line);
		copy[strcspn(copy, "\n")] = 0;
		printf("%s: ", copy);
		char *what = strtok(line, " \n"), *name = strtok(NULL, " \n");
		ask(what, name, strtok(NULL, " \n"));
		fflush(stdout);
	}
	return 0;
}
