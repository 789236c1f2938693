// Counts requests in what a client sends, chunk by chunk as it comes off a socket: streams that HTTP/2 opens (RFC 9113, section 4.1), or
// request lines of HTTP/1.1. It reads nothing else of them.

/** Takes the next bytes; gives how many requests began in them. */
export type RequestCounter = (chunk: Uint8Array) => number;

export type WireProtocol = 'http1' | 'http2';

export const requestCounters: Readonly<Record<WireProtocol, () => RequestCounter>> = {
  http1: http1Requests,
  http2: http2Requests,
};

const prefaceLength = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'.length;
const frameHeaderLength = 9;
const headersFrame = 1;

function http2Requests(): RequestCounter {
  let skip = prefaceLength;
  const header = new Uint8Array(frameHeaderLength);
  let filled = 0;
  return (chunk) => {
    let requests = 0;
    for (let at = 0; at < chunk.length; ) {
      if (skip > 0) {
        const passed = Math.min(skip, chunk.length - at);
        skip -= passed;
        at += passed;
        continue;
      }
      header[filled++] = chunk[at++] ?? 0;
      if (filled < frameHeaderLength) continue;
      filled = 0;
      const [high = 0, middle = 0, low = 0, type] = header;
      // The payload's length in 24 bits.
      skip = high * 0x10000 + middle * 0x100 + low;
      if (type === headersFrame) requests++;
    }
    return requests;
  };
}

const lineEnd = ' HTTP/1.1\r\n';

function http1Requests(): RequestCounter {
  let rest = '';
  return (chunk) => {
    const text = rest + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    rest = text.slice(-(lineEnd.length - 1));
    return text.split(lineEnd).length - 1;
  };
}
