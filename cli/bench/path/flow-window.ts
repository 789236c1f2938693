// What the sender of a flow knows of its packets: how many are under way, how many came. A flow that never has more under way than
// every queue on its way holds runs at the path's own rate, without loss: a flood would measure how packets are thrown away. No clock.
export interface Heard {
  /** Packets before this number are not under way any more. */
  readonly upTo: number;
  /** How many of them came. */
  readonly received: number;
}

export class FlowWindow {
  readonly #size: number;
  #sent = 0;
  #upTo = 0;
  #received = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get isOpen(): boolean {
    return this.#sent - this.#upTo < this.#size;
  }

  get isEmpty(): boolean {
    return this.#sent === this.#upTo;
  }

  /** The number of the packet that is sent now. */
  next(): number {
    return this.#sent++;
  }

  /** What is older than what was heard before, or of more than was sent, is passed over. */
  hear({ upTo, received }: Heard): void {
    if (upTo < this.#upTo || upTo > this.#sent || received > upTo) return;
    this.#upTo = upTo;
    this.#received = received;
  }

  /** Nothing was heard for so long that what is under way must be lost. */
  giveUp(): void {
    this.#upTo = this.#sent;
  }

  get received(): number {
    return this.#received;
  }

  get lost(): number {
    return this.#sent - this.#received;
  }
}
