/* counts COMMAND ARGUMENT...   how many system calls a program makes, and how many page faults it
   takes, from its start until it becomes another program or ends. Prints "CALLS FAULTS". */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* The tenth field of /proc/PID/stat; the name in the second has no space in these programs. */
static long faults_of(pid_t pid) {
  char path[64];
  long faults = -1;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %ld", &faults) != 1) exit(3);
  fclose(file);
  return faults;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  pid_t pid = fork();
  if (pid == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execv(argv[1], argv + 1);
    _exit(127);
  }
  int status, programs = 0, inside = 0;
  long calls = 0, first = 0, last = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) return 3;
  if (ptrace(PTRACE_SETOPTIONS, pid, 0,
             PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
    return perror("ptrace"), 3;
  while (ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
      if (++programs == 2) break;
      first = faults_of(pid);
      calls = 0;
      inside = 1;
    } else if (programs == 1 && WSTOPSIG(status) == (SIGTRAP | 0x80)) {
      /* The end of execve(2) comes first, then the beginning and the end of each call in turn. */
      inside = !inside;
      if (inside) calls++, last = faults_of(pid);
    }
  }
  kill(pid, SIGKILL);
  if (WIFEXITED(status) && WEXITSTATUS(status)) return 1;
  printf("%ld %ld\n", calls, last - first);
  return 0;
}
