// How the fake kernel refuses a step; its edge makes a KernelError of it.

/** Thrown inside the fake kernel only. */
export class Refusal extends Error {
  readonly errno: number;
  readonly words: string | undefined;

  constructor(errno: number, words?: string) {
    super(words ?? `errno ${errno}`);
    this.errno = errno;
    this.words = words;
  }
}
