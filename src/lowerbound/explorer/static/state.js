// What is looked at: a code, and the datum that it came from, if it came from one.

export class State extends EventTarget {
  /** The entries of the code. */
  code;
  /** What is sent to ask about the datum: {path, body, type}; null where the code came from no datum. */
  subject = null;
  /** Standard deviations of the datum's posterior. */
  spread = null;
  /** For a model that is told labels, which one. */
  label = 0;

  constructor(code) {
    super();
    this.code = Float64Array.from(code);
  }

  /** Look at another code. */
  move(code) {
    this.code = Float64Array.from(code);
    this.subject = this.spread = null;
    this.dispatchEvent(new Event("code"));
  }

  /** Change one entry, or a few. */
  set(entries) {
    const code = Float64Array.from(this.code);
    for (const [entry, value] of entries) code[entry] = value;
    this.move(code);
  }

  /** Take the code for the nearest one that there is. */
  settle(code) {
    this.code = Float64Array.from(code);
    this.dispatchEvent(new Event("settled"));
  }

  /** Look at a datum: the page asks the model about it. */
  choose(subject) {
    this.subject = subject;
    this.dispatchEvent(new Event("subject"));
  }

  /** The model has answered: the datum's code and the spread of its posterior. */
  read(subject, code, spread) {
    this.code = Float64Array.from(code);
    this.subject = subject;
    this.spread = spread;
    this.dispatchEvent(new Event("code"));
  }

  /** Tell the model another label. */
  tell(label) {
    this.label = label;
    this.dispatchEvent(new Event("label"));
    this.dispatchEvent(new Event("code"));
  }

  /** The code as it is sent. */
  get plain() {
    return Array.from(this.code);
  }
}
