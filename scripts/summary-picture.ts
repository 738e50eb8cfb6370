// Renders the job summary of a real run as docs/images/job-summary-{light,dark}.png. Needs Chromium, and the
// official kubectl from `npm run fetch-kubectl`:
//
//   node --import ./scripts/typescript.js scripts/summary-picture.ts [<chromium>]
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { artifactPath, runAction, World } from '../__tests__/support/index.js';
import { cachedKubectl, KUBECTL } from './fetch-kubectl.js';

const CHROMIUM = process.argv[2] ?? 'chromium';
const IMAGES = join(import.meta.dirname, '..', 'docs', 'images');
const WIDTH = 680;

/** Colors of GitHub's themes: text, background, border, muted background. */
const THEMES = {
  light: ['#1f2328', '#ffffff', '#d1d9e0', '#f6f8fa'],
  dark: ['#f0f6fc', '#0d1117', '#3d444d', '#151b23'],
} as const;

const summary = await summaryOfRun();
const folder = mkdtempSync(join(tmpdir(), 'summary-picture-'));
try {
  mkdirSync(IMAGES, { recursive: true });
  for (const theme of ['light', 'dark'] as const) {
    const page = join(folder, `${theme}.html`);
    writeFileSync(page, pageOf(summary, theme));
    const url = pathToFileURL(page).href;
    const height = /<title>(\d+)<\/title>/.exec(chromium('--dump-dom', url))?.[1] ?? '600';
    const picture = join(IMAGES, `job-summary-${theme}.png`);
    chromium(`--screenshot=${picture}`, `--window-size=${String(WIDTH)},${height}`, url);
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** The HTML that a run writes to GITHUB_STEP_SUMMARY. */
async function summaryOfRun(): Promise<string> {
  const kubectl = cachedKubectl();
  if (kubectl === undefined) {
    throw new Error('run "npm run fetch-kubectl" first');
  }
  const world = await World.start();
  try {
    const { version, platform } = KUBECTL;
    world.release.putFile(artifactPath(version, platform, 'kubectl'), readFileSync(kubectl));
    world.release.putSbom(version);
    const run = await runAction({ inputs: { ...world.inputs(), version } });
    run.cleanup();
    if (run.exitCode !== 0) {
      throw new Error(run.stdout);
    }
    return run.summary;
  } finally {
    await world.stop();
  }
}

function pageOf(html: string, theme: keyof typeof THEMES): string {
  const [text, background, border, muted] = THEMES[theme];
  return `<!doctype html><meta charset="utf-8"><title></title><style>
html { background: ${background}; color: ${text}; }
body { font: 14px/1.5 -apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif; margin: 16px; }
h3 { font-size: 1.25em; margin: 0 0 16px; }
table { border-collapse: collapse; }
th, td { border: 1px solid ${border}; padding: 6px 13px; text-align: left; overflow-wrap: anywhere; }
th { white-space: nowrap; }
tr:nth-child(2n) { background: ${muted}; }
code { font: 85% ui-monospace, 'DejaVu Sans Mono', monospace; }
</style>${html}<script>document.title = Math.ceil(document.body.getBoundingClientRect().bottom + 16);</script>`;
}

function chromium(...args: string[]): string {
  const quiet = [
    '--headless',
    '--no-sandbox',
    '--hide-scrollbars',
    '--force-device-scale-factor=1',
  ];
  return execFileSync(CHROMIUM, [...quiet, `--window-size=${String(WIDTH)},600`, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}
