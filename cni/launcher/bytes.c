// Buffers that grow.
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void bytes_reserve(struct bytes *bytes, size_t more) {
  if (bytes->room - bytes->length >= more) return;
  size_t room = 2 * (bytes->length + more);
  char *at = realloc(bytes->at, room);
  if (at == NULL) abort();
  bytes->at = at;
  bytes->room = room;
}

void bytes_add(struct bytes *bytes, const void *from, size_t length) {
  bytes_reserve(bytes, length);
  if (length > 0) memcpy(bytes->at + bytes->length, from, length);
  bytes->length += length;
}

void bytes_add_text(struct bytes *bytes, const char *text) {
  bytes_add(bytes, text, strlen(text));
}

long bytes_read(struct bytes *bytes, int fd) {
  const size_t most = (size_t)1 << 16;
  bytes_reserve(bytes, most);
  long got;
  do got = read(fd, bytes->at + bytes->length, most);
  while (got < 0 && errno == EINTR);
  if (got > 0) bytes->length += (size_t)got;
  return got;
}
