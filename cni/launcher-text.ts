// The texts that the launcher (cni/launcher.c) answers by itself, as a C header for its build: there is one list of versions.
import { aboutText, versionAnswer } from './versions.ts';

/** `pluginPath`: what the launcher runs when there is no agent, wherever it is copied to. */
export function launcherText(pluginPath: string): string {
  const texts = { VERSION_ANSWER: versionAnswer(), ABOUT_TEXT: aboutText(), PLUGIN_PATH: pluginPath };
  const lines = Object.entries(texts).map(([name, text]) => `#define ${name} "${cText(text)}"\n`);
  return `// Written by cni/launcher-text.ts.\n#pragma once\n${lines.join('')}`;
}

/** The inside of a C string literal: what is not plain becomes three octal digits. */
function cText(text: string): string {
  return [...Buffer.from(text)].map(cByte).join('');
}

function cByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[^ -~]|["\\?]/.test(character) ? `\\${byte.toString(8).padStart(3, '0')}` : character;
}
