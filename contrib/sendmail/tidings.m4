divert(-1)
dnl Tidings for Sendmail; README says how.
dnl
dnl F=T: when the milter is away, mail waits at the client (4xx) instead of passing
dnl it by. T: the times to connect, to send, to wait for a reply, and for the end of
dnl a message. The milter asks for the macros it needs itself.
divert(0)dnl
INPUT_MAIL_FILTER(`tidings', `S=local:/run/tidings/milter/milter.sock, F=T, T=C:30s;S:1m;R:1m;E:5m')dnl
