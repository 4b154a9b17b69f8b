// The server's API, as the page uses it: one function per verb, one class of error.
//
// The session is a cookie that scripts cannot read; what proves that a change comes from this page is the CSRF token,
// which the server tells whoever asks for the session.
import { signal } from '@preact/signals'
import type { Session } from './types.ts'

/** Who is logged in; null: nobody; undefined: not known yet. */
export const session = signal<Session | null | undefined>(undefined)

/** What the server refused, in its own words. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly field: string | undefined
  readonly detail: unknown

  constructor (status: number, body: unknown) {
    const error = (body as { error?: { code?: string, message?: string, field?: string, detail?: unknown } })?.error
    super(error?.message ?? `HTTP ${status}`)
    this.status = status
    this.code = error?.code ?? (status === 0 ? 'unreachable' : 'unexpected')
    this.field = error?.field
    this.detail = error?.detail
  }
}

async function answer<T> (response: Response): Promise<T> {
  const text = await response.text()
  let body: unknown = null
  try {
    body = text === '' ? null : JSON.parse(text)
  } catch {
    throw new ApiError(response.status, { error: { code: 'unexpected', message: text.slice(0, 200) } })
  }
  if (!response.ok) {
    if (response.status === 401) {
      session.value = null
    }
    throw new ApiError(response.status, body)
  }
  return body as T
}

async function send<T> (method: string, path: string, body?: BodyInit, type?: string): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json' }
  if (type !== undefined) {
    headers['Content-Type'] = type
  }
  if (method !== 'GET' && session.value) {
    headers['X-CSRF-Token'] = session.value.csrf
  }
  const options: RequestInit = { method, headers, credentials: 'same-origin' }
  if (body !== undefined) {
    options.body = body
  }
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, options)
  } catch {
    throw new ApiError(0, { error: { code: 'unreachable', message: 'unreachable' } })
  }
  return await answer<T>(response)
}

export type Query = Record<string, string | number | boolean | undefined>

/** A path with its query; what is undefined or empty is left out. */
export function withQuery (path: string, query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') {
      params.set(name, String(value))
    }
  }
  const text = params.toString()
  return text === '' ? path : `${path}?${text}`
}

/** A path made of names, each of which may hold anything. */
export function path (parts: TemplateStringsArray, ...names: string[]): string {
  return parts.reduce((made, part, i) => made + encodeURIComponent(names[i - 1] ?? '') + part)
}

export const api = {
  get: async <T>(url: string) => await send<T>('GET', url),
  post: async <T>(url: string, value: unknown = {}) => await send<T>('POST', url, JSON.stringify(value), 'application/json'),
  put: async <T>(url: string, value: unknown) => await send<T>('PUT', url, JSON.stringify(value), 'application/json'),
  patch: async <T>(url: string, value: unknown) => await send<T>('PATCH', url, JSON.stringify(value), 'application/json'),
  delete: async <T>(url: string) => await send<T>('DELETE', url),

  /** Send a file, telling how far it is (0..1). Browsers tell that of XMLHttpRequest only. */
  upload: async <T>(url: string, file: Blob, progress: (share: number) => void): Promise<T> =>
    await new Promise<T>((resolve, reject) => {
      const request = new XMLHttpRequest()
      request.open('POST', `/api/v1${url}`)
      request.setRequestHeader('Accept', 'application/json')
      request.setRequestHeader('Content-Type', 'application/octet-stream')
      if (session.value) {
        request.setRequestHeader('X-CSRF-Token', session.value.csrf)
      }
      request.upload.onprogress = event => { progress(event.lengthComputable ? event.loaded / event.total : 0) }
      request.onerror = () => { reject(new ApiError(0, { error: { code: 'unreachable', message: 'unreachable' } })) }
      request.onload = () => {
        answer<T>(new Response(request.responseText, { status: request.status })).then(resolve, reject)
      }
      request.send(file)
    })
}

/** Ask who is logged in; sets `session`. */
export async function refreshSession (): Promise<void> {
  try {
    session.value = await api.get<Session>('/session')
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) {
      throw error
    }
    session.value = null
  }
}
