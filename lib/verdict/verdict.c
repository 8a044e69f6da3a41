/* The first verdict: method, then user agent, then time. The order is that of
 * certainty: a method is a fact, an agent is what the client says, a time is a
 * guess. */

#include "verdict/verdict.h"

#include <string.h>

#include <glib.h>

/* A person needs longer to get, open and follow a mail. Published figures for
 * filters that fetch on arrival are 5 to 7 seconds. A hit from before the sending
 * says that two clocks differ; if by more than a minute, it says nothing else. */
static const int64_t too_soon = INT64_C(7000000), clocks_differ = INT64_C(-60000000);

static const struct {
  const char *word;
  enum verdict verdict;
} reasons[] = {
#define VERDICT_REASON(word, verdict, text) {word, VERDICT_##verdict},
#include "verdict/reasons.def"
#undef VERDICT_REASON
};

enum comparison { EQUAL, HAS };

static const struct {
  enum comparison how;
  const char *text, *reason;
} agents[] = {
#define AGENT(how, text, reason) {how, text, reason},
#include "verdict/agents.def"
#undef AGENT
};

/* The reason that the user agent alone gives. Who hides beyond the first
 * AGENT_MAX bytes is not looked for. */
static const char *agent_reason(const char *user_agent)
{
  enum { AGENT_MAX = 512 };
  char lower[AGENT_MAX + 1];
  if (!user_agent || !*user_agent) return "no-agent";
  size_t length = strnlen(user_agent, AGENT_MAX);
  for (size_t i = 0; i < length; i++)
    lower[i] = g_ascii_tolower(user_agent[i]);
  lower[length] = '\0';
  for (size_t i = 0; i < G_N_ELEMENTS(agents); i++) {
    bool matches = agents[i].how == EQUAL ? strcmp(user_agent, agents[i].text) == 0
                                          : strstr(lower, agents[i].text) != NULL;
    if (matches) return agents[i].reason;
  }
  return "none";
}

static enum verdict verdict_for(const char *reason)
{
  for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++)
    if (strcmp(reasons[i].word, reason) == 0) return reasons[i].verdict;
  return VERDICT_UNKNOWN;
}

enum verdict verdict_of(const struct verdict_hit *hit, const char **reason)
{
  *reason = agent_reason(hit->user_agent);
  if (hit->method && strcmp(hit->method, "GET") != 0)
    *reason = "head";
  else if (verdict_for(*reason) != VERDICT_MACHINE && hit->since_sent < too_soon &&
           hit->since_sent > clocks_differ)
    *reason = "too-soon";
  return verdict_for(*reason);
}

const char *verdict_name(enum verdict verdict)
{
  static const char *const names[] = {
      [VERDICT_UNKNOWN] = "unknown", [VERDICT_HUMAN] = "human", [VERDICT_MACHINE] = "machine"};
  return (size_t)verdict < G_N_ELEMENTS(names) ? names[verdict] : "unknown";
}
