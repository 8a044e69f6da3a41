/* Judging links. Every list of words here errs on the side of leaving a link
 * alone: a click that is not counted is a small loss, a sign-in link whose secret
 * went through a redirect is a large one.
 *
 * All of it is linear in the address, whose length the caller bounds. */

#include "rewrite/link.h"

#include <stdint.h>
#include <string.h>

/* What an address in lower case is made of; none is NUL-terminated. */
struct address {
  const char *host, *path, *query; /* path from its '/', query from its '?' */
  size_t host_length, path_length, query_length;
};

static bool is_space(char c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Whether WORD, in lower case, is in LIST. */
static bool is_in(const char *word, size_t length, const char *const *list)
{
  for (; *list; list++)
    if ((*list)[0] == word[0] && strncmp(word, *list, length) == 0 && (*list)[length] == '\0') return true;
  return false;
}

static uint32_t bit_of(char c)
{
  return UINT32_C(1) << ((unsigned char)c & 31);
}

static bool begins_with(const char *text, size_t length, const char *piece)
{
  size_t n = strlen(piece);
  return n <= length && memcmp(text, piece, n) == 0;
}

/* Whether TEXT, in lower case, holds one of the pieces of LIST, of two bytes and more. */
static bool holds(const char *text, size_t length, const char *const *list)
{
  /* Bits of the first two bytes: most places of the text begin no piece. */
  uint32_t firsts = 0, seconds = 0;
  for (size_t i = 0; list[i]; i++) {
    firsts |= bit_of(list[i][0]);
    seconds |= bit_of(list[i][1]);
  }
  for (size_t at = 0; at + 1 < length; at++) {
    if (!(firsts & bit_of(text[at])) || !(seconds & bit_of(text[at + 1]))) continue;
    for (size_t i = 0; list[i]; i++)
      if (list[i][0] == text[at] && begins_with(text + at, length - at, list[i])) return true;
  }
  return false;
}

/* Whether one of the words of TEXT, its runs of letters and digits, is in LIST. */
static bool has_word(const char *text, size_t length, const char *const *list)
{
  for (size_t i = 0; i < length;) {
    size_t start = i;
    while (i < length && g_ascii_isalnum(text[i]))
      i++;
    if (i > start && is_in(text + start, i - start, list)) return true;
    if (i == start) i++;
  }
  return false;
}

void rewrite_link_trim(GString *url)
{
  size_t start = 0, end = url->len, out = 0;
  while (start < end && (unsigned char)url->str[start] <= ' ')
    start++;
  while (end > start && (unsigned char)url->str[end - 1] <= ' ')
    end--;
  for (size_t i = start; i < end; i++)
    if (url->str[i] != '\t' && url->str[i] != '\n' && url->str[i] != '\r') url->str[out++] = url->str[i];
  g_string_truncate(url, out);
}

/* Length of the scheme and its colon at the head of URL; 0 if there is none. */
static size_t scheme_length(const char *url)
{
  if (!g_ascii_isalpha(*url)) return 0;
  size_t n = 1;
  while (g_ascii_isalnum(url[n]) || url[n] == '+' || url[n] == '-' || url[n] == '.')
    n++;
  return url[n] == ':' ? n + 1 : 0;
}

static bool is_web_scheme(const char *url, size_t length)
{
  return (length == 5 && g_ascii_strncasecmp(url, "http:", 5) == 0) ||
         (length == 6 && g_ascii_strncasecmp(url, "https:", 6) == 0);
}

/* Takes an http or https URL apart, whose case stays; false if it has no host, or
 * an IPv6 address without its end. */
static bool take_apart(const char *url, struct address *address)
{
  const char *at = url + scheme_length(url);
  if (strncmp(at, "//", 2) != 0) return false;
  at += 2;
  size_t authority = strcspn(at, "/?#\\");
  const char *host = at;
  for (size_t i = 0; i < authority; i++)
    if (at[i] == '@') host = at + i + 1;
  address->host = host;
  address->host_length = (size_t)(at + authority - host);
  at += authority;
  address->path = at;
  address->path_length = strcspn(at, "?#");
  at += address->path_length;
  address->query = at;
  address->query_length = strcspn(at, "#");
  if (*host == '[') return memchr(host, ']', address->host_length) != NULL;
  return address->host_length > 0 && *address->host != ':';
}

bool rewrite_link_is_own(const char *url, const char *const *bases, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    size_t length = strlen(bases[i]);
    if (length > 0 && g_ascii_strncasecmp(url, bases[i], length) == 0 &&
        (url[length] == '/' || url[length] == '?' || url[length] == '#' || url[length] == '\0'))
      return true;
  }
  return false;
}

/* "%name%", unless both percent signs begin an escape: "%de%20" is an address. */
static bool has_percent_name(const char *url)
{
  for (const char *p = strchr(url, '%'); p; p = strchr(p + 1, '%')) {
    size_t n = 1;
    while (g_ascii_isalnum(p[n]) || p[n] == '_' || p[n] == '.' || p[n] == '-' || p[n] == ':')
      n++;
    if (n < 3 || p[n] != '%') continue;
    bool first = g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]);
    bool second = g_ascii_isxdigit(p[n + 1]) && g_ascii_isxdigit(p[n + 2]);
    if (!first || !second) return true;
  }
  return false;
}

static bool has_placeholder(const GString *url)
{
  static const char *const marks[] = {"*|", "|*", "%%", "<%", "<?", "[[", "]]", "[%", "%]", NULL};
  if (!strpbrk(url->str, "{}|%<[]")) return false;
  return memchr(url->str, '{', url->len) || memchr(url->str, '}', url->len) ||
         holds(url->str, url->len, marks) || has_percent_name(url->str);
}

/* Bytes of one meaning: no controls, and beyond ASCII only sound UTF-8. */
static bool has_plain_characters(const GString *url, bool utf8)
{
  bool ascii = true;
  for (size_t i = 0; i < url->len; i++) {
    unsigned char c = (unsigned char)url->str[i];
    if (c < ' ' || c == 0x7f) return false;
    if (c >= 0x80) ascii = false;
  }
  /* What HTML puts for bytes that are none: U+FFFD. */
  return ascii ||
         (utf8 && g_utf8_validate(url->str, (gssize)url->len, NULL) && !strstr(url->str, "\xEF\xBF\xBD"));
}

static bool is_unsubscribe(const struct address *a)
{
  static const char *const pieces[] = {
      "unsubscribe", "optout",       "opt-out",  "opt_out",  "abmelden",  "abbestellen",  "desabonn",
      "desinscri",   "uitschrijven", "afmelden", "disiscri", "darsebaja", "descadastrar", NULL};
  static const char *const words[] = {"unsub", "unsubs", "preference", "preferences", "optout", NULL};
  size_t length = a->path_length + a->query_length;
  return holds(a->path, length, pieces) || has_word(a->path, length, words);
}

/* Does QUERY hold a secret by name? */
static bool has_secret_parameter(const char *query, size_t length)
{
  static const char *const names[] = {"token",
                                      "access_token",
                                      "auth_token",
                                      "reset_token",
                                      "confirmation_token",
                                      "id_token",
                                      "jwt",
                                      "otp",
                                      "password",
                                      "passwd",
                                      "pwd",
                                      "magic",
                                      "ticket",
                                      "auth",
                                      "authkey",
                                      "auth_key",
                                      "login_token",
                                      "invitation_token",
                                      "reset_password_token",
                                      "oobcode",
                                      "verification_code",
                                      "verify_code",
                                      "activation_code",
                                      "session",
                                      "sessionid",
                                      "sid",
                                      NULL};
  for (size_t i = 0; i < length;) {
    i++; /* '?' or '&' or ';' */
    size_t start = i;
    while (i < length && query[i] != '=' && query[i] != '&' && query[i] != ';')
      i++;
    if (i > start && is_in(query + start, i - start, names)) return true;
    while (i < length && query[i] != '&' && query[i] != ';')
      i++;
  }
  return false;
}

/* A long run of letters and digits with both in it looks like a secret. */
static bool has_random_run(const char *text, size_t length)
{
  size_t run = 0, digits = 0, letters = 0;
  for (size_t i = 0; i <= length; i++) {
    if (i < length && (g_ascii_isalnum(text[i]) || text[i] == '_' || text[i] == '-' || text[i] == '.')) {
      run++;
      if (g_ascii_isdigit(text[i])) digits++;
      if (g_ascii_isalpha(text[i])) letters++;
      continue;
    }
    if (run >= 20 && digits >= 3 && letters >= 3) return true;
    run = digits = letters = 0;
  }
  return false;
}

static bool is_sensitive(const struct address *a)
{
  static const char *const hosts[] = {"login", "signin", "auth", "sso", "idp", NULL};
  static const char *const strong[] = {"password",      "passwd",    "passwort", "pwreset", "resetpassword",
                                       "passwordreset", "magiclink", "login",    "signin",  "logon",
                                       "otp",           "oauth",     "oauth2",   "sso",     "saml",
                                       "2fa",           "mfa",       NULL};
  static const char *const pairs[] = {"sign-in",    "sign_in",  "log-in",       "log_in", "magic-link",
                                      "magic_link", "one-time", "set-password", NULL};
  static const char *const weak[] = {"reset",      "verify",     "verification", "confirm", "confirmation",
                                     "activate",   "activation", "auth",         "magic",   "invite",
                                     "invitation", "recover",    "recovery",     "unlock",  "forgot",
                                     "accept",     NULL};
  size_t label = 0;
  while (label < a->host_length && a->host[label] != '.')
    label++;
  if (is_in(a->host, label, hosts) || has_word(a->path, a->path_length, strong) ||
      holds(a->path, a->path_length, pairs))
    return true;
  if (has_secret_parameter(a->query, a->query_length)) return true;
  return has_word(a->path, a->path_length, weak) &&
         (a->query_length > 1 || has_random_run(a->path, a->path_length));
}

enum rewrite_reason rewrite_link_judge_url(const GString *url, bool utf8)
{
  if (url->len == 0) return REWRITE_REASON_EMPTY;
  if (url->str[0] == '#') return REWRITE_REASON_FRAGMENT;
  if (has_placeholder(url)) return REWRITE_REASON_PLACEHOLDER;
  if (!has_plain_characters(url, utf8)) return REWRITE_REASON_CHARACTERS;
  size_t scheme = scheme_length(url->str);
  if (scheme == 0) return REWRITE_REASON_RELATIVE;
  if (!is_web_scheme(url->str, scheme)) return REWRITE_REASON_SCHEME;
  struct address address;
  g_autofree char *lower = g_ascii_strdown(url->str, (gssize)url->len);
  if (!take_apart(lower, &address)) return REWRITE_REASON_MALFORMED;
  if (is_unsubscribe(&address)) return REWRITE_REASON_UNSUBSCRIBE;
  if (is_sensitive(&address)) return REWRITE_REASON_SENSITIVE;
  return REWRITE_REASON_TRACKED;
}

/* White space, no-break spaces and characters of no width become one space or
 * nothing, so that they hide no address. */
static void fold_space(GString *text)
{
  size_t out = 0;
  for (size_t i = 0; i < text->len;) {
    const char *at = text->str + i;
    size_t left = text->len - i;
    if (left >= 3 && (memcmp(at, "\xE2\x80\x8B", 3) == 0 || memcmp(at, "\xE2\x80\x8C", 3) == 0 ||
                      memcmp(at, "\xE2\x80\x8D", 3) == 0 || memcmp(at, "\xEF\xBB\xBF", 3) == 0)) {
      i += 3;
    } else if (is_space(*at) || *at == '\0' || (left >= 2 && memcmp(at, "\xC2\xA0", 2) == 0)) {
      i += is_space(*at) || *at == '\0' ? 1 : 2;
      if (out > 0 && text->str[out - 1] != ' ') text->str[out++] = ' ';
    } else {
      text->str[out++] = *at;
      i++;
    }
  }
  if (out > 0 && text->str[out - 1] == ' ') out--;
  g_string_truncate(text, out);
}

/* "example.com", "example.com/path", "www2.example.co.uk:8080". */
static bool looks_like_host(const char *text)
{
  size_t dots = 0, label = 0, letters = 0, i = 0;
  for (; g_ascii_isalnum(text[i]) || text[i] == '-' || text[i] == '.' || (unsigned char)text[i] >= 0x80;
       i++) {
    if (text[i] == '.') {
      if (label == 0) return false;
      dots++;
      label = letters = 0;
      continue;
    }
    label++;
    if (!g_ascii_isdigit(text[i])) letters++;
  }
  if (dots == 0 || label < 2 || letters != label) return false;
  return text[i] == '\0' || text[i] == '/' || text[i] == ':' || text[i] == '?' || text[i] == '#';
}

static bool starts_with_address(const char *word)
{
  static const char *const heads[] = {"http://", "https://", "www.", "hxxp"};
  while (*word != '\0' && strchr("(<[\"'", *word))
    word++;
  char first = g_ascii_tolower(*word);
  if (first != 'h' && first != 'w') return false;
  for (size_t i = 0; i < G_N_ELEMENTS(heads); i++)
    if (g_ascii_strncasecmp(word, heads[i], strlen(heads[i])) == 0) return true;
  return false;
}

enum rewrite_reason rewrite_link_judge_text(GString *text)
{
  static const char *const unsubscribe[] = {"unsubscribe",
                                            "opt out",
                                            "opt-out",
                                            "abmelden",
                                            "abbestellen",
                                            "austragen",
                                            "sinscrire",
                                            "sabonner",
                                            "se d\xC3\xA9sabonner",
                                            "darse de baja",
                                            "darme de baja",
                                            "cancelar suscrip",
                                            "disiscri",
                                            "afmelden",
                                            "uitschrijven",
                                            "avregistrera",
                                            "afmeld",
                                            "meld deg av",
                                            "wypisz",
                                            "descadastr",
                                            "email preferences",
                                            "manage preferences",
                                            "your preferences",
                                            "subscription preferences",
                                            "communication preferences",
                                            "mail preferences",
                                            NULL};
  fold_space(text);
  if (text->len == 0) return REWRITE_REASON_TRACKED;
  g_autofree char *lower = g_ascii_strdown(text->str, (gssize)text->len);
  if (holds(lower, text->len, unsubscribe)) return REWRITE_REASON_UNSUBSCRIBE;
  for (const char *word = text->str; word; word = strchr(word, ' ')) {
    if (*word == ' ') word++;
    if (starts_with_address(word)) return REWRITE_REASON_VISIBLE_URL;
  }
  if (!strchr(text->str, ' ') && looks_like_host(text->str)) return REWRITE_REASON_VISIBLE_URL;
  return REWRITE_REASON_TRACKED;
}

/* Removes "." and ".." from the path that starts at START of OUT (RFC 3986
 * section 5.2.4). */
static void remove_dots(GString *out, size_t start)
{
  g_autofree char *path = g_strdup(out->str + start);
  g_string_truncate(out, start);
  for (const char *at = path; *at;) {
    size_t n = 1 + strcspn(at + 1, "/"); /* "/segment" */
    bool last = at[n] == '\0';
    if (n == 2 && at[1] == '.') {
      if (last) g_string_append_c(out, '/');
    } else if (n == 3 && at[1] == '.' && at[2] == '.') {
      while (out->len > start && out->str[out->len - 1] != '/')
        g_string_truncate(out, out->len - 1);
      if (out->len > start) g_string_truncate(out, out->len - 1);
      if (last) g_string_append_c(out, '/');
    } else {
      g_string_append_len(out, at, (gssize)n);
    }
    at += n;
  }
}

bool rewrite_link_resolve(const char *base, const char *reference, GString *out)
{
  size_t scheme = scheme_length(base);
  struct address a;
  if (!is_web_scheme(base, scheme) || !take_apart(base, &a) || strchr(reference, '\\') || strchr(base, '\\'))
    return false;
  if (reference[0] == '/' && reference[1] == '/') {
    g_string_append_len(out, base, (gssize)scheme);
    g_string_append(out, reference);
    return true;
  }
  g_string_append_len(out, base, a.path - base);
  size_t start = out->len;
  size_t length = strcspn(reference, "?#");
  if (length == 0) {
    g_string_append_len(out, a.path, (gssize)a.path_length);
    if (reference[0] != '?') g_string_append_len(out, a.query, (gssize)a.query_length);
  } else {
    size_t folder = reference[0] == '/' ? 0 : a.path_length;
    while (folder > 0 && a.path[folder - 1] != '/')
      folder--;
    g_string_append_len(out, a.path, (gssize)folder);
    if (out->len == start && reference[0] != '/') g_string_append_c(out, '/');
    g_string_append_len(out, reference, (gssize)length);
    remove_dots(out, start);
  }
  if (out->len == start) g_string_append_c(out, '/');
  g_string_append(out, reference + length);
  return true;
}
