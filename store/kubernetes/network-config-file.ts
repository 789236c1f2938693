// net-conf.json as kubelet mounts it from a ConfigMap: read again and again, because nothing tells when it changes. The last good
// one stays.
import { readFile } from 'node:fs/promises';
import type { StoreProblem } from '../lease-store.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../network-config.ts';
import { isStoreError, StoreError } from '../store-error.ts';

export class NetworkConfigFile {
  readonly #path: string;
  #text: string | undefined;
  #config: NetworkConfig | undefined;
  #problem: StoreProblem | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The last good one: the same object while the file says the same. */
  get config(): NetworkConfig | undefined {
    return this.#config;
  }

  get problem(): StoreProblem | undefined {
    return this.#problem;
  }

  /** The configuration as the file has it. Rejects with StoreError `missing` or `invalid`. */
  async read(): Promise<NetworkConfig> {
    try {
      const text = await this.#readText();
      if (this.#config === undefined || text !== this.#text) {
        this.#config = decodeNetworkConfig(text, this.#path);
        this.#text = text;
      }
      this.#problem = undefined;
      return this.#config;
    } catch (error) {
      if (isStoreError(error)) this.#problem = { object: error.object, message: error.message };
      throw error;
    }
  }

  /** True when there is another configuration, or another problem, than before. */
  async look(): Promise<boolean> {
    const { config, message } = { config: this.#config, message: this.#problem?.message };
    await this.read().catch((error: unknown) => {
      if (!isStoreError(error)) throw error;
    });
    return config !== this.#config || message !== this.#problem?.message;
  }

  async #readText(): Promise<string> {
    try {
      return await readFile(this.#path, 'utf8');
    } catch (cause) {
      const isMissing = Object(cause).code === 'ENOENT';
      throw new StoreError(`Cannot read network configuration "${this.#path}"`, {
        code: isMissing ? 'missing' : 'unavailable',
        object: this.#path,
        problems: [
          {
            field: '',
            message: isMissing
              ? 'there is no such file: mount the ConfigMap kube-flannel-cfg there, or name another file with --net-config-path'
              : String(Object(cause).code ?? cause),
          },
        ],
        cause,
      });
    }
  }
}
