// One request to the agent's unix socket: HTTP as far as its server speaks it, an answer of stated length.
#include "launcher.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// Status line and headers.
#define LONGEST_HEAD ((size_t)1 << 16)

// The address of its socket. False when nobody can listen there: the name is too long.
static bool agent_address(const struct call *call, struct sockaddr_un *address) {
  const char *directory = config_path(call, "runDirectory", "/run/netloom");
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/netloom.sock", directory);
  return length > 0 && (size_t)length < sizeof address->sun_path;
}

// False with errno when there is no connection.
static bool connect_agent(int fd, const struct sockaddr_un *address, long long deadline) {
  while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
    // EAGAIN: more callers wait than the agent's queue holds, which cannot be polled for.
    if (errno == EAGAIN && ms_left(deadline) > 0) poll(NULL, 0, 5);
    else if (errno != EINTR) return false;
  }
  return true;
}

static void add_request(struct bytes *request, const struct call *call) {
  char head[200];
  snprintf(head, sizeof head,
           "POST /cni HTTP/1.1\r\nHost: netloom\r\nConnection: close\r\n"
           "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
           call->body.length);
  bytes_add_text(request, head);
  bytes_add(request, call->body.at, call->body.length);
}

// The value of Content-Length, or -1. `head` ends with an empty line.
static long stated_length(const char *head, const char *end) {
  static const char name[] = "\r\ncontent-length:";
  for (const char *line = head; line + sizeof name < end; line++) {
    if (strncasecmp(line, name, sizeof name - 1) != 0) continue;
    const char *at = line + sizeof name - 1;
    while (*at == ' ') at++;
    if (!isdigit((unsigned char)*at)) return -1;
    long length = 0;
    while (isdigit((unsigned char)*at) && (size_t)length <= LONGEST_ANSWER) length = length * 10 + (*at++ - '0');
    return *at == '\r' && (size_t)length <= LONGEST_ANSWER ? length : -1;
  }
  return -1;
}

enum reading { MORE, WHOLE, BROKEN };

// Looks at what came so far.
static enum reading read_answer(const struct bytes *got, const struct call *call, struct answer *answer) {
  static const char begin[] = "HTTP/1.1 ";
  size_t begun = got->length < strlen(begin) ? got->length : strlen(begin);
  if (memcmp(got->at, begin, begun) != 0) return BROKEN;
  const char *end = memmem(got->at, got->length, "\r\n\r\n", 4);
  if (end == NULL) return got->length > LONGEST_HEAD ? BROKEN : MORE;
  long length = stated_length(got->at, end + 4);
  const char *status = got->at + strlen(begin);
  bool succeeded = strncmp(status, "200 ", 4) == 0;
  // All other answers are those of a server that could not make sense of the request.
  if (length < 0 || (!succeeded && strncmp(status, "422 ", 4) != 0)) return BROKEN;
  *answer = (struct answer){.exit_code = succeeded ? 0 : 1, .text = end + 4, .length = (size_t)length};
  if (!is_answer(call, answer->exit_code, answer->length)) return BROKEN;
  size_t there = got->length - (size_t)(answer->text - got->at);
  if (there == answer->length) return WHOLE;
  return there < answer->length ? MORE : BROKEN;
}

static enum outcome exchange(int fd, const struct call *call, struct answer *answer) {
  struct bytes request = {0}, got = {0};
  add_request(&request, call);
  size_t sent = 0;
  for (int left; (left = ms_left(call->deadline)) > 0;) {
    // In both directions at once: an answer may come before the whole request is sent.
    struct pollfd socket = {.fd = fd, .events = POLLIN | (sent < request.length ? POLLOUT : 0)};
    if (poll(&socket, 1, left) <= 0) continue;
    if ((socket.revents & POLLOUT) != 0) {
      ssize_t count = send(fd, request.at + sent, request.length - sent, MSG_NOSIGNAL);
      if (count > 0) sent += (size_t)count;
      // It does not listen any more, but may have said why.
      else if (errno != EAGAIN && errno != EINTR) sent = request.length;
    }
    if ((socket.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    long count = bytes_read(&got, fd);
    if (count < 0 && errno == EAGAIN) continue;
    if (count <= 0) return ABSENT;
    enum reading reading = read_answer(&got, call, answer);
    if (reading == BROKEN) return ABSENT;
    if (reading == WHOLE) return ANSWERED;
  }
  return SILENT;
}

enum outcome ask_agent(const struct call *call, struct answer *answer, struct bytes *complaint) {
  struct sockaddr_un address;
  if (!agent_address(call, &address)) return ABSENT;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return ABSENT;
  enum outcome outcome = ABSENT;
  const char *why = "no answer in time";
  if (connect_agent(fd, &address, call->deadline)) {
    outcome = exchange(fd, call, answer);
  } else if (errno == EAGAIN || errno == EACCES || errno == EPERM) {
    outcome = SILENT;
    if (errno != EAGAIN) why = strerror(errno);
  }
  close(fd);
  if (outcome == SILENT) {
    bytes_add_text(complaint, address.sun_path);
    bytes_add_text(complaint, ": ");
    bytes_add_text(complaint, why);
  }
  return outcome;
}
