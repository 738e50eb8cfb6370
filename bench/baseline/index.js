// What kubectl actions do today, and nothing else: download, keep in the tool cache, put on PATH.
// Nothing is verified.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import * as core from '@actions/core';
import * as toolCache from '@actions/tool-cache';

const version = core.getInput('version');
const base = core.getInput('download-base-url');

await Promise.all(core.getInput('tools').split(',').map(install));

/** @param {string} tool */
async function install(tool) {
  let folder = toolCache.find(tool, version);
  if (folder === '') {
    const url = `${base}/release/v${version}/bin/linux/amd64/${tool}`;
    const file = await toolCache.downloadTool(url);
    folder = await toolCache.cacheFile(file, tool, tool, version);
  }
  const path = join(folder, tool);
  chmodSync(path, 0o775);
  core.addPath(folder);
  core.setOutput(`${tool}-path`, path);
}
