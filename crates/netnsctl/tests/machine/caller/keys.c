/* What keyctl(1) does, as far as the tests need it: few machines have it.
   keys add-session NAME COMMAND...   runs COMMAND in a new session keyring with a key of that name
   keys add-user NAME COMMAND...      runs COMMAND after adding the key to the user's keyring
   keys find NAME...                  says of each whether a search of the session keyring finds it */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSION -3
#define USER -4

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  if (strcmp(argv[1], "find") == 0) {
    for (int at = 2; at < argc; at++) {
      long id = syscall(SYS_keyctl, 10 /* KEYCTL_SEARCH */, SESSION, "user", argv[at], 0);
      printf("%s %s\n", argv[at], id < 0 ? "no" : "yes");
    }
    return 0;
  }
  int session = strcmp(argv[1], "add-session") == 0;
  if (session && syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) < 0)
    return perror("session keyring"), 1;
  long key = syscall(SYS_add_key, "user", argv[2], "secret", 6, session ? SESSION : USER);
  /* A user's keyring is the machine's, whatever its namespaces. */
  if (key < 0 || syscall(SYS_keyctl, 15 /* KEYCTL_SET_TIMEOUT */, key, 60) < 0)
    return perror("add_key"), 1;
  execvp(argv[3], argv + 3);
  return perror(argv[3]), 1;
}
