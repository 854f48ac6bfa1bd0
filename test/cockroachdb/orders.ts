/** A database with rows that belongs to somebody, and the resources that back it up and restore it. */
import { Stage } from './stage.ts';
import { simulatorOf, type World } from './world.ts';

/** Everything that is secret in these tests. */
export const SECRETS = /my\/secret|my%2Fsecret|rotated-secret|open sesame/;

export const storage = { name: 'main' };

export class Orders {
  readonly #world: World;
  readonly stage: Stage;
  readonly database: string;

  private constructor(world: World) {
    this.#world = world;
    this.stage = new Stage(world);
    this.database = world.name('orders');
  }

  /** With the items 1, 2 and 3, of the login `owner` with the password `pw`. */
  static async make(world: World): Promise<Orders> {
    const orders = new Orders(world);
    await world.role('owner', {}, 'pw').reconcile();
    await world.database('orders', { owner: world.name('owner') }).reconcile();
    await orders.asOwner('CREATE TABLE public.items (id int PRIMARY KEY)');
    await orders.asOwner('INSERT INTO public.items VALUES (1), (2), (3)');
    return orders;
  }

  async asOwner<Row extends object = Record<string, unknown>>(text: string, database = this.database): Promise<Row[]> {
    return await this.#world.as<Row>('owner', 'pw', text, database);
  }

  /** As if the databases had been there for long: a backup is of some seconds ago. */
  age(): void {
    const made = simulatorOf(this.#world)?.made;
    for (const oid of made?.keys() ?? []) made?.set(oid, new Date(0));
  }

  async rows(name = this.database): Promise<number> {
    return (await this.#world.sql('SELECT id FROM public.items', name)).length;
  }

  async databases(): Promise<string[]> {
    const rows = await this.#world.sql<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]');
    return rows.map(({ name }) => name);
  }

  async connections(): Promise<string[]> {
    const text = 'SELECT connection_name AS name FROM [SHOW EXTERNAL CONNECTIONS]';
    return (await this.#world.sql<{ name: string }>(text)).map(({ name }) => name);
  }
}
