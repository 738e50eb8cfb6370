// @actions/core starts processes for core.platform, and @actions/tool-cache to unpack archives. This action does neither.
const refuse = () => {
  throw new Error('this action starts processes through src/install/bounded-process.ts');
};

export const exec = refuse;
export const getExecOutput = refuse;
