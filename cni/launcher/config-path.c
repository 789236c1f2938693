// Finds a path in the network configuration, without being a JSON parser: it walks strings and brackets.
#include "launcher.h"

#include <string.h>
#include <strings.h>

struct scan {
  const char *text;
  size_t at, end;
};

static int skip_space(struct scan *scan) {
  while (scan->at < scan->end && memchr(" \t\r\n", scan->text[scan->at], 4) != NULL) scan->at++;
  return scan->at < scan->end ? (unsigned char)scan->text[scan->at] : -1;
}

// From behind the opening quote to behind the closing one. Its length, or -1 when it does not end.
static long skip_string(struct scan *scan) {
  size_t begin = scan->at;
  while (scan->at < scan->end && scan->text[scan->at] != '"') scan->at += scan->text[scan->at] == '\\' ? 2 : 1;
  if (scan->at >= scan->end) return -1;
  return (long)(scan->at++ - begin);
}

static bool is_plain_path(const char *text, size_t length) {
  if (length == 0 || text[0] != '/') return false;
  for (size_t i = 0; i < length; i++)
    if (text[i] == '\\' || (unsigned char)text[i] < 0x20) return false;
  return true;
}

const char *config_path(const struct call *call, const char *key, const char *otherwise) {
  struct scan scan = {.text = call->body.at, .at = call->input_at, .end = call->body.length};
  const char *found = otherwise;
  int depth = 0;
  while (scan.at < scan.end) {
    char c = scan.text[scan.at++];
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (c != '"') continue;
    const char *name = scan.text + scan.at;
    long length = skip_string(&scan);
    if (length < 0) break;
    // In any letter case, as Go's decoder and ours take it.
    if (depth != 1 || (size_t)length != strlen(key) || strncasecmp(name, key, strlen(key)) != 0) continue;
    if (skip_space(&scan) != ':') continue;
    scan.at++;
    if (skip_space(&scan) != '"') continue;
    scan.at++;
    const char *value = scan.text + scan.at;
    long value_length = skip_string(&scan);
    if (value_length < 0) break;
    if (!is_plain_path(value, (size_t)value_length)) continue;
    struct bytes path = {0};
    bytes_add(&path, value, (size_t)value_length);
    bytes_add(&path, "", 1);
    found = path.at;
  }
  return found;
}
