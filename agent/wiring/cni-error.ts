// What the plugin answers when it refuses: a code of the CNI specification ("Error"), a message and details. Whoever wires a
// pod or gives out an address throws it; cni/ prints it.

/** Codes of the specification (1 to 99) and of ours (100 and up). 8 and 999 are libcni's, which every runtime knows. */
export const cniCodes = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  inputOutput: 5,
  decoding: 6,
  invalidConfig: 7,
  invalidNetns: 8,
  tryAgainLater: 11,
  notAvailable: 50,
  /** As 50, and pods that are there may have lost their way. */
  limited: 51,
  /** The kernel refused to make or change a network object. */
  kernelRefused: 100,
  /** The interface is there already: ADD a second time. */
  interfaceExists: 101,
  /** CHECK found something otherwise than ADD left it. */
  checkFailed: 102,
  internal: 999,
} as const;

export type CniCode = (typeof cniCodes)[keyof typeof cniCodes];

export class CniError extends Error {
  override readonly name = 'CniError';
  readonly code: CniCode;
  /** More words, for whoever reads the runtime's log. */
  readonly details: string;

  constructor(
    code: CniCode,
    message: string,
    options: { readonly details?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? '';
  }
}
