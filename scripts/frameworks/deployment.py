"""What stands between wsgiref's server and the applications of this folder."""


class Deployment(object):
    """Makes the environ what a production server would make it."""

    def __init__(self, app, scheme="http"):
        self.app, self.scheme = app, scheme

    def __call__(self, environ, start_response):
        environ["wsgi.url_scheme"] = self.scheme
        if environ.get("CONTENT_TYPE") == "text/plain":
            del environ["CONTENT_TYPE"]  # wsgiref makes that up where there is none
        return self.app(environ, start_response)
