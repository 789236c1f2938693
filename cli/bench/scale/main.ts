// Entry of a reader process of the stores' benchmark: `node cli/bench/scale/main.ts SOCKET`. The benchmark starts it; nobody types this.
import { runReader } from './run-reader.ts';

const [socket] = process.argv.slice(2);
if (socket === undefined) throw new SyntaxError('Cannot start the reader without the path of its socket');
void runReader(socket).finally(() => process.exit());
