// SPDX-License-Identifier: Apache-2.0
// The OpenAI API as the playground uses it: the models, and one streamed chat completion.
import { sseEvents } from '../lib/sse';
import { ApiError, json, request } from './http';

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface ChatRequest {
  model: string;
  messages: ChatMessage[];
  temperature: number;
  max_tokens?: number; // without: as many as the service allows
}

export interface ChatStats {
  promptTokens?: number;
  completionTokens?: number;
  firstTokenMs?: number;
  totalMs: number;
  tokensPerSec?: number;
  finishReason?: string;
}

interface Chunk {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  error?: { message?: string; code?: string };
}

export async function listOpenAiModels(signal?: AbortSignal): Promise<string[]> {
  const answer = await json<{ data: { id: string }[] }>('/v1/models', { signal });
  return answer.data.map((model) => model.id);
}

/** Streams one answer. onText gets each piece as it comes; the figures come at the end. */
export async function streamChat(chat: ChatRequest, onText: (piece: string) => void, signal: AbortSignal): Promise<ChatStats> {
  const started = performance.now();
  const stats: ChatStats = { totalMs: 0 };
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    body: { ...chat, stream: true, stream_options: { include_usage: true } },
    signal,
  });
  if (!response.body) throw new ApiError(response.status, 'NoBody', 'The answer has no body.');
  for await (const { data } of sseEvents(response.body)) {
    if (data === '[DONE]') break;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw new ApiError(response.status, chunk.error.code ?? '', chunk.error.message ?? 'The stream ended with an error.');
    const choice = chunk.choices?.[0];
    const piece = choice?.delta?.content;
    if (piece) {
      stats.firstTokenMs ??= performance.now() - started;
      onText(piece);
    }
    if (choice?.finish_reason) stats.finishReason = choice.finish_reason;
    if (chunk.usage) {
      stats.promptTokens = chunk.usage.prompt_tokens;
      stats.completionTokens = chunk.usage.completion_tokens;
    }
  }
  stats.totalMs = performance.now() - started;
  const writingMs = stats.totalMs - (stats.firstTokenMs ?? 0);
  if (stats.completionTokens && writingMs > 0) stats.tokensPerSec = (stats.completionTokens * 1000) / writingMs;
  return stats;
}
