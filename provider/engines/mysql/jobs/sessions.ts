/** What work for runs asks of the engine that it is part of. */
import type { Step } from '../../../resources/model/steps.ts';
import type { Opening } from '../connect.ts';
import type { MysqlInfo } from '../info.ts';
import type { ConnectionSession, Session } from '../session.ts';

export interface JobSessions {
  info(): Promise<MysqlInfo>;
  /** Throws ResourceError. */
  use<T>(tried: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T>;
  run(steps: readonly Step[], signal?: AbortSignal): Promise<void>;
  /** Opens a session of that login, within the budget of the server, and ends it. */
  as<T>(
    login: { username: string; password: string },
    tried: string,
    work: (session: ConnectionSession) => Promise<T>,
    how?: Opening,
  ): Promise<T>;
}
