// What one thread waits for and another sets off: an eventfd, which threads of one process share by its number.
import * as libc from '../libc.ts';

export class WakeUp implements Disposable {
  /** For the thread that waits. */
  readonly fd = libc.eventfd();

  call(): void {
    libc.signalEventfd(this.fd);
  }

  [Symbol.dispose](): void {
    libc.close(this.fd);
  }
}
