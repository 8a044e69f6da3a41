# contrib/
EXTRA_DIST += contrib/demo/demo.py contrib/demo/course.yaml contrib/demo/timetable.eml
EXTRA_DIST += contrib/install/prepare.sh contrib/install/tidings.conf contrib/install/README
EXTRA_DIST += contrib/exim/README contrib/exim/main.conf contrib/exim/acl.conf contrib/exim/transport.conf
EXTRA_DIST += contrib/sendmail/README contrib/sendmail/tidings.m4
