// Runs the plugin proper as a child: it gets the call and nothing else of ours, and does not outlive us. A grandchild that held
// the runtime's pipes would block the runtime until it ended.
#include "launcher.h"
#include "launcher-text.h" // Generated: PLUGIN_PATH.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Bytes of standard error that are kept for the message.
#define LONGEST_COMPLAINT 2000

// The one of the checkout that we were built in, wherever we were copied to; that beside us when the checkout was moved.
static const char *plugin_path(void) {
  static char beside[PATH_MAX + sizeof "/../scripts/netloom-cni"];
  if (access(PLUGIN_PATH, X_OK) == 0) return PLUGIN_PATH;
  ssize_t length = readlink("/proc/self/exe", beside, PATH_MAX - 1);
  if (length <= 0) return PLUGIN_PATH;
  beside[length] = '\0';
  strcpy(strrchr(beside, '/'), "/../scripts/netloom-cni");
  return access(beside, X_OK) == 0 ? beside : PLUGIN_PATH;
}

// The body begins with the variables as execve(2) wants them; PATH is for the wrapper and the programs of the plugin.
static char **child_environment(const struct call *call) {
  struct bytes pointers = {0};
  char *path;
  if (asprintf(&path, "PATH=%s", getenv("PATH") != NULL ? getenv("PATH") : "/usr/sbin:/usr/bin:/sbin:/bin") < 0) abort();
  bytes_add(&pointers, &path, sizeof path);
  for (char *variable = call->body.at; *variable != '\0'; variable += strlen(variable) + 1)
    bytes_add(&pointers, &variable, sizeof variable);
  bytes_add(&pointers, &(char *){NULL}, sizeof(char *));
  return (char **)pointers.at;
}

static void close_others(void) {
  // From Linux 5.9; the C library's function is younger.
  if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
  for (int fd = 3; fd < 1024; fd++) close(fd);
}

_Noreturn static void become_plugin(const int streams[3], pid_t parent, char **environment) {
  const char *path = plugin_path();
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have died before it was asked for.
  if (getppid() != parent) _exit(127);
  for (int fd = 0; fd <= 2; fd++) dup2(streams[fd], fd);
  close_others();
  signal(SIGPIPE, SIG_DFL);
  execve(path, (char *[]){(char *)path, NULL}, environment);
  dprintf(STDERR_FILENO, "Cannot run \"%s\": %s", path, strerror(errno));
  _exit(127);
}

struct child {
  pid_t pid;
  // Its end, its standard input, output and error. What is closed is -1, which poll(2) passes over.
  struct pollfd fds[4];
};

enum { END, INPUT, OUTPUT, COMPLAINT };

static bool start(struct child *child, const struct call *call) {
  int pipes[3][2];
  for (int i = 0; i < 3; i++)
    if (pipe2(pipes[i], O_CLOEXEC) != 0) return false;
  char **environment = child_environment(call);
  pid_t parent = getpid();
  child->pid = fork();
  if (child->pid < 0) return false;
  if (child->pid == 0) become_plugin((int[]){pipes[0][0], pipes[1][1], pipes[2][1]}, parent, environment);
  // Both do it: whoever comes first.
  setpgid(child->pid, child->pid);
  int own[3] = {pipes[0][1], pipes[1][0], pipes[2][0]};
  close(pipes[0][0]);
  close(pipes[1][1]);
  close(pipes[2][1]);
  child->fds[END] = (struct pollfd){.fd = (int)syscall(SYS_pidfd_open, child->pid, 0), .events = POLLIN};
  for (int i = 0; i < 3; i++) {
    fcntl(own[i], F_SETFL, O_NONBLOCK);
    child->fds[INPUT + i] = (struct pollfd){.fd = own[i], .events = i == 0 ? POLLOUT : POLLIN};
  }
  // From Linux 5.3. A child that cannot be watched is killed by our end.
  return child->fds[END].fd >= 0;
}

static void shut(struct pollfd *pipe) {
  close(pipe->fd);
  pipe->fd = -1;
}

static void feed(struct pollfd *pipe, const struct call *call, size_t *sent) {
  size_t rest = call->body.length - *sent;
  ssize_t count = rest == 0 ? 0 : write(pipe->fd, call->body.at + *sent, rest);
  if (count > 0) *sent += (size_t)count;
  bool failed = count < 0 && errno != EAGAIN && errno != EINTR;
  if (failed || *sent == call->body.length) shut(pipe);
}

// Takes what is there, as much as a pipe can hold. What is beyond `most` is read and forgotten.
static void drain(struct pollfd *pipe, struct bytes *into, size_t most) {
  for (int reads = 0; reads < 16 && pipe->fd >= 0; reads++) {
    long got = bytes_read(into, pipe->fd);
    if (into->length > most) into->length = most;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) shut(pipe);
  }
}

// Until it ended. False at the deadline, or when it says more than can be an answer.
static bool attend(struct child *child, const struct call *call, struct bytes *output, struct bytes *complaint) {
  struct pollfd *fds = child->fds;
  size_t sent = call->input_at;
  for (bool ended = false; !ended;) {
    int left = ms_left(call->deadline);
    if (left == 0) return false;
    if (poll(fds, 4, left) <= 0) continue;
    // What it wrote before its end is there when the end is seen.
    ended = fds[END].revents != 0;
    if (fds[INPUT].fd >= 0 && fds[INPUT].revents != 0) feed(&fds[INPUT], call, &sent);
    drain(&fds[OUTPUT], output, LONGEST_ANSWER + 1);
    drain(&fds[COMPLAINT], complaint, LONGEST_COMPLAINT);
    if (output->length > LONGEST_ANSWER) return false;
  }
  return true;
}

bool run_plugin(const struct call *call, struct answer *answer, struct bytes *complaint) {
  struct child child;
  struct bytes output = {0};
  if (!start(&child, call)) {
    bytes_add_text(complaint, "cannot start a process: ");
    bytes_add_text(complaint, strerror(errno));
    return false;
  }
  bool ended = attend(&child, call, &output, complaint);
  // Also what it may have left running. Before the wait: until then nobody else can have its number.
  kill(-child.pid, SIGKILL);
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended && complaint->length == 0) bytes_add_text(complaint, "it was not done in time");
  if (!ended || !WIFEXITED(status)) return false;
  *answer = (struct answer){.exit_code = WEXITSTATUS(status), .text = output.at, .length = output.length};
  return is_answer(call, answer->exit_code, answer->length);
}
