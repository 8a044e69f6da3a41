# contrib/
EXTRA_DIST += contrib/demo/demo.py contrib/demo/course.yaml contrib/demo/timetable.eml
EXTRA_DIST += contrib/install/prepare.sh contrib/install/tidings.conf contrib/install/README
