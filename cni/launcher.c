// The executable netloom-cni that container runtimes start: carries a call to the agent and its answer back. It decides nothing
// about the call; the plugin is TypeScript, in the agent or, when there is none, in a process of its own (docs/adr/0010).
#include "launcher/launcher.h"
#include "launcher-text.h" // Generated: VERSION_ANSWER, ABOUT_TEXT.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

// A runtime may start us without some of them: what we open must not take their place.
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", O_RDWR);
}

// Only CNI_*: the rest of the environment is nobody's business.
static void gather_variables(struct call *call) {
  for (char **variable = environ; *variable != NULL; variable++) {
    if (strncmp(*variable, "CNI_", 4) != 0 || strchr(*variable, '=') == NULL) continue;
    bytes_add(&call->body, *variable, strlen(*variable) + 1);
    if (call->body.length > LONGEST_ENVIRONMENT)
      refuse(INVALID_ENVIRONMENT, "Cannot read the variables CNI_*: they are longer than 1 MiB", "");
  }
  bytes_add(&call->body, "", 1);
}

static void read_input(struct call *call) {
  call->input_at = call->body.length;
  while (call->body.length - call->input_at <= LONGEST_INPUT) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int left = ms_left(call->deadline);
    if (left == 0) refuse(INPUT_OUTPUT, "Cannot read the network configuration: standard input does not end", "");
    if (poll(&input, 1, left) <= 0) continue;
    long got = bytes_read(&call->body, STDIN_FILENO);
    if (got == 0) return;
    if (got < 0 && errno != EAGAIN)
      refuse(INPUT_OUTPUT, "Cannot read the network configuration from standard input", strerror(errno));
  }
  refuse(DECODING, "Cannot decode the network configuration: it is longer than 1 MiB", "");
}

static int print(const struct answer *answer) {
  return write_whole(STDOUT_FILENO, answer->text, answer->length) ? answer->exit_code : 1;
}

int main(void) {
  open_standard_streams();
  signal(SIGPIPE, SIG_IGN);
  const char *command = getenv("CNI_COMMAND");
  if (command == NULL || *command == '\0') {
    write_whole(STDERR_FILENO, ABOUT_TEXT, strlen(ABOUT_TEXT));
    return 0;
  }
  // Asked all the time (podman: at every command), and with made-up variables: nothing else is looked at.
  if (strcmp(command, "VERSION") == 0)
    return print(&(struct answer){.text = VERSION_ANSWER, .length = strlen(VERSION_ANSWER)});

  struct call call = {.command = command, .deadline = monotonic_ms() + DEADLINE_MS};
  gather_variables(&call);
  read_input(&call);

  struct answer answer;
  struct bytes complaint = {0};
  enum outcome outcome = ask_agent(&call, &answer, &complaint);
  if (outcome == ANSWERED) return print(&answer);
  if (outcome == ABSENT && run_plugin(&call, &answer, &complaint)) return print(&answer);

  const char *message =
      outcome == ABSENT ? "There is no agent, and the plugin failed without it" : "The agent did not answer";
  if (strcmp(command, "DEL") == 0) {
    const char *fault = queue_del(&call);
    if (fault == NULL) return 0;
    bytes_add_text(&complaint, complaint.length == 0 ? "the DEL was not queued: " : "; the DEL was not queued: ");
    bytes_add_text(&complaint, fault);
  }
  bytes_add(&complaint, "", 1);
  refuse(TRY_AGAIN_LATER, message, complaint.at);
}
