/**
 * Variables with which a Node process believes that it is later: its `Date` is ahead, its timers are not.
 *
 * @param milliseconds how much later
 */
export function clockAhead(milliseconds: number): Record<string, string> {
  const script = `
    const Now = Date;
    globalThis.Date = class Date extends Now {
      constructor(...parts) {
        super(...(parts.length === 0 ? [Now.now() + ${milliseconds}] : parts));
      }
      static now() {
        return Now.now() + ${milliseconds};
      }
    };`;
  const url = `data:text/javascript;base64,${Buffer.from(script).toString('base64')}`;
  return { NODE_OPTIONS: `--import=${url}` };
}
