// @actions/core starts processes for one thing, core.platform, which this action never uses.
export const getExecOutput = () => {
  throw new Error('this action starts processes through src/install/bounded-process.ts');
};
