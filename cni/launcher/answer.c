// What goes to the runtime, and until when: answers, refusals, the deadline.
#include "launcher.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

long long monotonic_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int ms_left(long long deadline) {
  long long left = deadline - monotonic_ms();
  return left > 0 ? (int)left : 0;
}

bool is_answer(const struct call *call, int exit_code, size_t length) {
  return length > 0 || (exit_code == 0 && strcmp(call->command, "ADD") != 0);
}

bool write_whole(int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, text, length);
    if (written >= 0) {
      text += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

// A JSON string. Bytes that are not ASCII may be no UTF-8 either: each becomes "?".
static void add_json_text(struct bytes *json, const char *text) {
  bytes_add_text(json, "\"");
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '\n') bytes_add_text(json, "\\n");
    else if (c == '"' || c == '\\') bytes_add(json, (char[]){'\\', *text}, 2);
    else bytes_add(json, c < 0x20 || c > 0x7e ? "?" : text, 1);
  }
  bytes_add_text(json, "\"");
}

_Noreturn void refuse(int code, const char *message, const char *details) {
  struct bytes json = {0};
  char begin[40];
  snprintf(begin, sizeof begin, "{\"code\":%d,\"msg\":", code);
  bytes_add_text(&json, begin);
  add_json_text(&json, message);
  if (*details != '\0') {
    bytes_add_text(&json, ",\"details\":");
    add_json_text(&json, details);
  }
  bytes_add_text(&json, "}");
  write_whole(STDOUT_FILENO, json.at, json.length);
  exit(1);
}
