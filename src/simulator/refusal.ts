/** What the platform says when it refuses a request: an HTTP status and a structured error. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Error of the API and of its tasks. */
export interface ApiError {
  code: string;
  message: string;
}
