"""The Flask extensions of the console, made once and bound to an application by `console.app.create_app`."""

from flask_login import LoginManager
from flask_wtf.csrf import CSRFProtect

csrf = CSRFProtect()
login_manager = LoginManager()
