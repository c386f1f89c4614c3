// Questions to the server.

/** The answer to a question; what the server refuses becomes an Error with its sentence. */
export async function ask(path, body, type = "application/json") {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": type },
    body: type === "application/json" ? JSON.stringify(body) : body,
  };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The explorer does not answer: is it still running?");
  }
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    throw new Error(said.error ?? `The explorer answered with the status ${response.status}.`);
  }
  return response.headers.get("Content-Type") === "application/json" ? response.json() : response.blob();
}

/** Work of which one piece is under way at a time, and of what comes meanwhile only the newest is kept. */
export class Newest {
  #work;
  #failed;
  #waiting = null;
  #busy = false;

  constructor(work, failed) {
    this.#work = work;
    this.#failed = failed;
  }

  async request(wanted) {
    this.#waiting = { wanted };
    if (this.#busy) return;
    this.#busy = true;
    while (this.#waiting) {
      const next = this.#waiting.wanted;
      this.#waiting = null;
      try {
        await this.#work(next);
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#busy = false;
  }
}
