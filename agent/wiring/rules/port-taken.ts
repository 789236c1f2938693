// The refusal to publish a port that another attachment has.
import { CniError, cniCodes } from '../cni-error.ts';
import { type PublishedPort, portText } from './published-port.ts';

/** Try again later: the other may go. */
export class PortTakenError extends CniError {
  /** attachmentFileName of the attachment that has the port; undefined when the rule does not tell. */
  readonly holder: string | undefined;

  constructor(port: PublishedPort, holder: string | undefined) {
    super(
      cniCodes.tryAgainLater,
      `hostPort ${portText(port)} is taken by ${holder === undefined ? 'a rule of nobody' : `attachment ${holder}`}`,
    );
    this.holder = holder;
  }
}

/** attachmentFileName of who has the port, when the error is about that. */
export function portHolder(error: unknown): string | undefined {
  return error instanceof PortTakenError ? error.holder : undefined;
}
