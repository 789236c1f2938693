// What the parts of the launcher share: a call, its answer, and buffers. The parts are linked into one static executable.
#pragma once
#define _GNU_SOURCE

#include <stdbool.h>
#include <stddef.h>

// Bytes. A configuration has a few thousand, an answer fewer.
#define LONGEST_INPUT ((size_t)1 << 20)
#define LONGEST_ENVIRONMENT ((size_t)1 << 20)
#define LONGEST_ANSWER ((size_t)16 << 20)

// Milliseconds for everything together; runtimes wait for minutes, but a pod's start is retried.
#ifndef DEADLINE_MS
#define DEADLINE_MS 20000
#endif

// Codes of the CNI specification, section "Error".
enum { INVALID_ENVIRONMENT = 4, INPUT_OUTPUT = 5, DECODING = 6, TRY_AGAIN_LATER = 11 };

// A buffer that grows. All zero is an empty one. Nothing is ever freed: the process ends after one call.
struct bytes {
  char *at;
  size_t length, room;
};

// Makes room for `more` bytes behind those that are there.
void bytes_reserve(struct bytes *bytes, size_t more);
void bytes_add(struct bytes *bytes, const void *from, size_t length);
void bytes_add_text(struct bytes *bytes, const char *text);
// Reads what there is, up to 64 KiB. As read(2); EINTR is tried again.
long bytes_read(struct bytes *bytes, int fd);

struct call {
  const char *command;
  // The body of the request to the agent, and of a queued DEL: "NAME=VALUE\0" for each variable, "\0", standard input.
  struct bytes body;
  // Where standard input begins in it.
  size_t input_at;
  // By the monotonic clock, in milliseconds.
  long long deadline;
};

struct answer {
  int exit_code;
  const char *text;
  size_t length;
};

// Milliseconds until the deadline; 0 when it is over.
int ms_left(long long deadline);
long long monotonic_ms(void);

// True if it can be an answer to this call: what failed says why, and an ADD has a result.
bool is_answer(const struct call *call, int exit_code, size_t length);

// Writes the whole, also to a pipe that a runtime made non-blocking. False when nobody reads it.
bool write_whole(int fd, const char *text, size_t length);
// Prints the error JSON of the specification on standard output and ends with exit code 1.
_Noreturn void refuse(int code, const char *message, const char *details);

// The string at `key` of the configuration's outermost object, when it is an absolute path without escapes; else
// `otherwise`. What else may be wrong with the configuration is found by whoever does the work.
const char *config_path(const struct call *call, const char *key, const char *otherwise);

enum outcome {
  ANSWERED,
  // Nobody listens, or what came is no answer: somebody else may do the work.
  ABSENT,
  // It may be doing the work yet, or will not let us in: nobody else may.
  SILENT,
};

// `complaint` gets why it is silent.
enum outcome ask_agent(const struct call *call, struct answer *answer, struct bytes *complaint);

// Runs the plugin proper. False when it gave no answer; `complaint` then has what it said on standard error, or why.
bool run_plugin(const struct call *call, struct answer *answer, struct bytes *complaint);

// Writes the call to the queue of DELs, durably. Returns what went wrong, or NULL.
const char *queue_del(const struct call *call);
