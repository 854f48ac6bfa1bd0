export class InstallError extends Error {}
export function say(text: string): void;
export function installPackages(root: string): Promise<void>;
