// Entry of a lab's responder process: `node cli/lab/main.ts SOCKET LAB`. The lab starts it; nobody types this.
import { keepCompiled } from '../keep-compiled.ts';
import { startResponder } from './responder.ts';

const [socket, lab] = process.argv.slice(2);
if (socket === undefined || lab === undefined)
  throw new SyntaxError('Cannot start the responder without the path of its socket and the name of its lab');
void startResponder(socket, lab).then((responder) => {
  keepCompiled();
  const stop = (): void => {
    void responder.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
});
