/* What pkexec(1), sudo(8) and doas(1) do to a process on the way to root, without asking anybody.
   By the name it is called by: "pkexec" stays the same process, "sudo" starts another and has the
   caller's name in a variable of its own, "doas" as well. GIVER_KEEPS, in its environment, makes
   the last two keep the environment whole, as some configurations of theirs do; GIVER_LEAVES leaves
   what is open open, and a file of root's with it. Where there is a file /mnt/giver-keys, a session
   keyring of root's is given, as pam_keyinit(8) does where it is configured, with a key "roots". Where
   there is a file /mnt/giver-refuses, it refuses, with the words and the exit status of each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int done, const char *what) {
  if (!done) {
    perror(what);
    exit(127);
  }
}

int main(int argc, char **argv) {
  const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
  int is_pkexec = strcmp(name, "pkexec") == 0;
  int leaves = getenv("GIVER_LEAVES") != NULL;
  char uid[16];
  must(argc > 1, "arguments");
  if (access("/mnt/giver-refuses", F_OK) == 0) {
    fputs(is_pkexec ? "Error executing command as another user: Not authorized\n"
          : strcmp(name, "doas") == 0 ? "doas: Operation not permitted\n"
                                      : "alice is not in the sudoers file.\n", stderr);
    return is_pkexec ? 127 : 1;
  }
  must(geteuid() == 0, "set-user-ID");
  snprintf(uid, sizeof uid, "%d", (int)getuid());
  if (is_pkexec || !getenv("GIVER_KEEPS")) clearenv();
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("HOME", "/root", 1);
  setenv("USER", "root", 1);
  if (is_pkexec) {
    must(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0, "prctl");
    setenv("PKEXEC_UID", uid, 1);
    setenv("SUDO_UID", uid, 1);
  } else if (strcmp(name, "sudo") == 0) {
    setenv("SUDO_UID", uid, 1);
  } else {
    setenv("DOAS_USER", "alice", 1);
  }
  if (leaves)
    must(dup2(open("/etc/shadow", O_RDONLY), 7) == 7, "/etc/shadow");
  else
    must(syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) == 0, "close_range");
  gid_t group = 0;
  must(setgroups(1, &group) == 0, "setgroups");
  must(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0, "become root");
  if (access("/mnt/giver-keys", F_OK) == 0) {
    must(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL) > 0, "session keyring");
    must(syscall(SYS_add_key, "user", "roots", "secret", 6, -3 /* the session's */) > 0, "add_key");
  }
  must(chdir("/root") == 0 || chdir("/") == 0, "chdir");
  umask(022);
  if (is_pkexec) {
    execv(argv[1], argv + 1);
    must(0, argv[1]);
  }
  pid_t child = fork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    must(0, argv[1]);
  }
  int status;
  while (waitpid(child, &status, 0) != child) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
